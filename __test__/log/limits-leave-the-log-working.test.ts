import { expect, test } from 'vitest'
import { newPath, openLog } from '../support/temp.js'

test('VARVE_BUSY takes nothing; after drained() the append goes through', async () => {
  const log = await openLog<Uint8Array, Buffer>(newPath(), { maxPendingBytes: 10_000 })
  const calls = await Promise.allSettled(Array.from({ length: 100 }, () => log.append(Buffer.alloc(1_000))))
  const taken = Math.floor(40_000 / 1_256)
  for (const [n, call] of calls.entries()) {
    if (n < taken) expect(call).toMatchObject({ status: 'fulfilled', value: { offset: n } })
    else expect(call).toMatchObject({ status: 'rejected', reason: { code: 'VARVE_BUSY', outcome: 'none' } })
  }
  await log.drained()
  expect(log.pendingBytes).toBe(0)
  expect((await log.append(Buffer.alloc(1_000))).offset).toBe(taken)
  expect(log.head.size).toBe(taken + 1)
})

test('appendAll of far more than the limit goes through, with progress', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8', maxPendingBytes: 50_000 })
  const counts: number[] = []
  const values = Array.from({ length: 5_000 }, (_, n) => `value ${n}`)
  const progress = await log.appendAll(values, { onProgress: ({ count }) => counts.push(count) })
  const bytes = values.reduce((sum, value) => sum + value.length, 0)
  expect(progress).toMatchObject({ count: 5_000, bytes, head: log.head })
  expect(counts).toEqual([...counts].sort((a, b) => a - b))
  expect(counts.at(-1)).toBe(5_000)
  expect((await log.read().toArray()).map(({ value }) => value)).toEqual(values)
})

test('maxRecordBytes: exactly that long is fine, one more is a RangeError', async () => {
  const log = await openLog<Uint8Array, Buffer>(newPath(), { maxRecordBytes: 1_000 })
  await expect(log.append(Buffer.alloc(1_001))).rejects.toBeInstanceOf(RangeError)
  await expect(log.appendBatch([Buffer.alloc(1), Buffer.alloc(1_001)])).rejects.toBeInstanceOf(RangeError)
  expect((await log.append(Buffer.alloc(1_000))).offset).toBe(0)
})

test('a batch larger than a segment is one batch all the same', async () => {
  const dir = newPath()
  const log = await openLog<string>(dir, { encoding: 'utf8', segmentBytes: 64 * 1024, compression: 'none' })
  await log.append('before')
  const values = Array.from({ length: 3_000 }, (_, n) => `value ${n} `.padEnd(100))
  expect(await log.appendBatch(values)).toMatchObject({ offset: 1, count: 3_000 })
  await log.append('after')
  await log.close()
  const again = await openLog<string>(dir, { encoding: 'utf8' })
  expect((await again.read({ from: 1, to: 3_001 }).toArray()).map(({ value }) => value)).toEqual(values)
})

test.each(['disk', 'os'] as const)(
  'durability %s: flush resolves with the head, flushSync blocks, both cover what came before',
  async durability => {
    const log = await openLog<string>(newPath(), { encoding: 'utf8', durability })
    void log.append('a')
    expect((await log.flush()).size).toBe(1)
    const append = log.append('b')
    log.flushSync()
    expect((await append).offset).toBe(1)
    expect((await log.flush()).size).toBe(2)
  },
)

test('expectedOffset: of two writers that compete for an offset one gets it', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const results = await Promise.allSettled(['a', 'b'].map(value => log.append(value, { expectedOffset: 0 })))
  expect(results[0]).toMatchObject({ status: 'fulfilled', value: { offset: 0 } })
  expect(results[1]).toMatchObject({
    reason: { code: 'VARVE_OFFSET_CONFLICT', expected: 0, found: 1, outcome: 'none' },
  })
  expect(log.head.size).toBe(1)
})
