import { createHash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { Child } from '../support/child.js'
import { newPath, openLog } from '../support/temp.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Payloads that do not compress, each told by its offset. */
function payload(offset: number): Buffer {
  const block = createHash('sha512').update(`record ${offset}`).digest()
  return Buffer.concat([block, block.subarray(0, offset % 7), block, block, block])
}

const RECORDS = 12_000

async function filled() {
  const dir = newPath()
  const log = await openLog<Uint8Array>(dir, { compression: 'none' })
  for (let from = 0; from < RECORDS; from += 1_000) {
    await log.appendBatch(Array.from({ length: 1_000 }, (_, index) => payload(from + index)))
  }
  return { dir, log }
}

/** The turns of the event loop in which what belonged to collected memory is tidied up. */
async function collected() {
  for (let turn = 0; turn < 3; turn++) {
    collect()
    await new Promise(resolve => setImmediate(resolve))
  }
}

test.each([false, true])(
  'records that are kept stay as they are, whatever is read and collected after them (reverse: %s)',
  async reverse => {
    const { log } = await filled()
    const kept = new Map<number, Uint8Array>()
    for (let pass = 0; pass < 6; pass++) {
      let chunks = 0
      for await (const chunk of log.read({ reverse, chunkBytes: 128 * 1024 }).chunks()) {
        expect(chunk.bytes(0)).toEqual(new Uint8Array(payload(chunk.offset)))
        const at = (pass * 31) % chunk.length
        if (chunks++ % 3 === pass % 3)
          kept.set(chunk.at(at)!.offset, pass % 2 === 0 ? chunk.bytes(at) : chunk.at(at)!.value)
      }
      await collected()
    }
    expect(kept.size).toBeGreaterThan(20)
    for (const [offset, bytes] of kept) expect(Buffer.compare(bytes, payload(offset)), `record ${offset}`).toBe(0)
  },
)

test.each(['terminate', 'exit', 'end'])('%s: a worker may go with chunks in its hands', async how => {
  const { dir, log } = await filled()
  await log.close()
  const ended = await new Child('worker-reads.mjs', [dir, how]).ended
  expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null })
  expect(JSON.parse(ended.lines[0]!)).toEqual({ records: RECORDS, same: true })
})

test('memory that a worker moved to another thread stays as it is when the worker ends', async () => {
  const { dir, log } = await filled()
  await log.close()
  const ended = await new Child('worker-sends.mjs', [dir]).ended
  expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null })
  const { received, records, same } = JSON.parse(ended.lines[0]!)
  expect(records).toBe(RECORDS + 3_000)
  expect(received).toBeGreaterThan(1)
  expect(same).toBe(true)
})
