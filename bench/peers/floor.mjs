/**
 * The least a durable append can cost: a synchronous write and a synchronous fdatasync, without hashing, framing or a
 * promise; at the end of a file, or into space that was filled with zeros and synced beforehand. Writes as many bytes as
 * varve stores for the same record.
 */
import { fdatasyncSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const FILLED_BYTES = 16 << 20

export function openStore(dir, { bytes = 256, filled = false } = {}) {
  mkdirSync(dir, { recursive: true })
  const file = openSync(join(dir, 'log'), 'w')
  const data = Buffer.alloc(bytes, 'varve ')
  if (filled) {
    writeSync(file, Buffer.alloc(FILLED_BYTES), 0, FILLED_BYTES, 0)
    fdatasyncSync(file)
  }
  let position = 0
  return {
    append() {
      if (filled && position + bytes > FILLED_BYTES) throw new Error('the filled space is used up')
      writeSync(file, data, 0, bytes, position)
      fdatasyncSync(file)
      position += bytes
      return undefined
    },
    close() {},
  }
}
