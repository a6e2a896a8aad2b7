/** What one writes by hand: length, SHA-256 over the hash before and the payload, payload; one write, one fdatasync. */
import { createHash } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'

export async function openStore(dir) {
  await mkdir(dir, { recursive: true })
  const file = await open(join(dir, 'log'), 'w')
  let chain = Buffer.alloc(32)
  const appendBatch = async values => {
    const parts = []
    for (const value of values) {
      const length = Buffer.allocUnsafe(4)
      length.writeUInt32LE(value.length)
      chain = createHash('sha256').update(chain).update(value).digest()
      parts.push(length, chain, value)
    }
    await file.write(Buffer.concat(parts))
    await file.datasync()
  }
  return { append: value => appendBatch([value]), appendBatch, close: () => file.close() }
}
