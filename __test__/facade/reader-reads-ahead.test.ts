import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { errorOf, openFake, tick } from '../support/fake-log.js'

async function filled(count: number) {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  for (let n = 0; n < count; n++) void log.append(`${n}`.padStart(10))
  await tick()
  addon.sync()
  return { addon, log }
}

test('the next chunk is asked for when one is handed out, and no more than one', async () => {
  const { addon, log } = await filled(100)
  const chunks = log.read({ chunkBytes: 100 }).chunks()
  expect(addon.reads).toHaveLength(0)
  await chunks.next()
  await tick()
  expect(addon.reads.map(({ options }) => options.from)).toEqual([0, 10])
  await chunks.next()
  await tick()
  expect(addon.reads.map(({ options }) => options.from)).toEqual([0, 10, 20])
})

test('where the addon tells the ends of the next runs, two are asked for ahead', async () => {
  const { addon, log } = await filled(100)
  addon.runRecords = 10
  const asked = () => addon.reads.map(({ options: { from, to } }) => [from, to])
  const chunks = log.read({ chunkBytes: 100, to: 45 }).chunks()
  await chunks.next()
  await tick()
  expect(asked()).toEqual([[0, 45], [10, 20], [20, 30]]) // biome-ignore format: one range after another
  await chunks.next()
  await tick()
  expect(asked().slice(3)).toEqual([[30, 40]])
  await chunks.next()
  await tick()
  expect(asked().slice(4)).toEqual([[40, 45]])
  for (const offset of [30, 40]) expect((await chunks.next()).value.offset).toBe(offset)
  expect((await chunks.next()).done).toBe(true)
  expect(addon.reads).toHaveLength(5)
})

test.each([
  { reverse: false, runRecords: 10 },
  { reverse: false, runRecords: 17 },
  { reverse: false, runRecords: 3 },
  { reverse: true, runRecords: 10 },
  { reverse: true, runRecords: 17 },
])(
  'hints of $runRecords records, reverse $reverse, where answers have 10: all records in order, none past the limit',
  async ({ reverse, runRecords }) => {
    const { addon, log } = await filled(100)
    addon.runRecords = runRecords
    for (const limit of [5, 10, 27, 64, 95, undefined]) {
      const offsets = (await log.read({ reverse, limit, from: 3, chunkBytes: 100 }).toArray()).map(
        record => record.offset,
      )
      const all = Array.from({ length: 97 }, (_, index) => (reverse ? 99 - index : 3 + index))
      expect(offsets).toEqual(all.slice(0, limit))
    }
  },
)

test('runs that are answered out of order are given in order', async () => {
  const { addon, log } = await filled(40)
  addon.runRecords = 10
  addon.autoRead = false
  const reading = log.read({ chunkBytes: 100 }).toArray()
  await tick()
  addon.answerRead(addon.reads[0]!.request)
  await tick()
  addon.autoRead = true
  addon.answerRead(addon.reads[2]!.request)
  await tick()
  addon.answerRead(addon.reads[1]!.request)
  expect((await reading).map(({ offset }) => offset)).toEqual(Array.from({ length: 40 }, (_, index) => index))
})

test('an error of a run ahead rejects the pull that comes to it, and nothing is left unhandled', async () => {
  const { addon, log } = await filled(40)
  addon.runRecords = 10
  addon.autoRead = false
  const chunks = log.read({ chunkBytes: 100 }).chunks()
  const first = chunks.next()
  await tick()
  addon.answerRead(addon.reads[0]!.request)
  expect((await first).value.offset).toBe(0)
  await tick()
  addon.fail(addon.reads[2]!.request, { code: 'VARVE_CORRUPT', message: 'bad' })
  addon.answerRead(addon.reads[1]!.request)
  expect((await chunks.next()).value.offset).toBe(10)
  expect(await errorOf(chunks.next())).toMatchObject({ code: 'VARVE_CORRUPT' })
  expect((await chunks.next()).done).toBe(true)
})

test('nothing is asked for past the limit', async () => {
  const { addon, log } = await filled(100)
  expect((await log.read({ limit: 10, chunkBytes: 100 }).toArray()).length).toBe(10)
  expect(addon.reads).toHaveLength(1)
  expect((await log.read({ limit: 0 }).toArray()).length).toBe(0)
  expect(addon.reads).toHaveLength(1)
})

test('the range is taken at the first pull', async () => {
  const { addon, log } = await filled(1)
  const reader = log.read()
  void log.append('second')
  await tick()
  addon.sync()
  expect((await reader.next()).value).toMatchObject({ offset: 0 })
  void log.append('third')
  await tick()
  addon.sync()
  expect((await reader.toArray()).map(({ value }) => value)).toEqual(['second'])
})

test('calls of next() that overlap get the records in order, and done at the end', async () => {
  const { log } = await filled(7)
  const reader = log.read({ chunkBytes: 20 })
  const steps = await Promise.all(Array.from({ length: 9 }, () => reader.next()))
  expect(steps.map(({ value }) => value?.offset)).toEqual([0, 1, 2, 3, 4, 5, 6, undefined, undefined])
  expect(steps.map(({ done }) => done)).toEqual([...new Array(7).fill(false), true, true])
})

test('overlapping pulls of chunks get different chunks, in order', async () => {
  const { log } = await filled(6)
  const chunks = log.read({ chunkBytes: 20 }).chunks()
  const steps = await Promise.all([chunks.next(), chunks.next(), chunks.next(), chunks.next()])
  expect(steps.map(({ value }) => value?.offset)).toEqual([0, 2, 4, undefined])
})

test('an abort rejects the pull that waits with the reason, asks the addon to stop, and leaves no listener', async () => {
  const { addon, log } = await filled(10)
  addon.autoRead = false
  const controller = new AbortController()
  const reader = log.read({ signal: controller.signal })
  const pull = errorOf(reader.next())
  await tick()
  const reason = new Error('enough')
  controller.abort(reason)
  expect(await pull).toBe(reason)
  expect(addon.cancelled).toEqual([addon.reads[0]!.request])
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  expect(await reader.next()).toEqual({ value: undefined, done: true })
  addon.answerRead(addon.reads[0]!.request) // late, and dropped
})

test('an abort between pulls rejects the next one, also in the middle of a chunk', async () => {
  const { log } = await filled(10)
  const controller = new AbortController()
  const seen: number[] = []
  const reason = new Error('enough')
  const error = await errorOf(
    (async () => {
      for await (const { offset } of log.read({ signal: controller.signal })) {
        seen.push(offset)
        if (offset === 3) controller.abort(reason)
      }
    })(),
  )
  expect(error).toBe(reason)
  expect(seen).toEqual([0, 1, 2, 3])
})

test('a signal already aborted reads nothing; a finished read leaves no listener', async () => {
  const { addon, log } = await filled(10)
  const reason = new Error('before')
  const signal = AbortSignal.abort(reason)
  await expect(log.read({ signal }).next()).rejects.toBe(reason)
  await expect(log.read({ signal }).toArray()).rejects.toBe(reason)
  await expect(log.read({ signal }).chunks().next()).rejects.toBe(reason)
  expect(addon.reads).toHaveLength(0)
  const controller = new AbortController()
  await log.read({ signal: controller.signal, chunkBytes: 20 }).toArray()
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
})

test('leaving the loop ends the reader', async () => {
  const { log } = await filled(100)
  const reader = log.read({ chunkBytes: 100 })
  for await (const { offset } of reader) if (offset === 3) break
  expect(await reader.next()).toEqual({ value: undefined, done: true })
  expect(await reader.toArray()).toEqual([])
})

test('an error of the addon rejects one pull and ends the reader', async () => {
  const { addon, log } = await filled(10)
  addon.autoRead = false
  const reader = log.read()
  const pull = errorOf(reader.next())
  await tick()
  const error = { code: 'VARVE_CORRUPT', message: 'bad', segment: '0000000001.seg', position: 4096, offset: 0 }
  addon.fail(addon.reads[0]!.request, error)
  expect(await pull).toMatchObject({ name: 'VarveError', ...error })
  expect(await reader.next()).toEqual({ value: undefined, done: true })
})

test('a chunk reads in its order: at, bytes, iteration and offset agree in both directions', async () => {
  const { log } = await filled(5)
  for (const reverse of [false, true]) {
    const { value: chunk } = await log.read({ reverse }).chunks().next()
    const offsets = reverse ? [4, 3, 2, 1, 0] : [0, 1, 2, 3, 4]
    expect([...chunk].map(({ offset }) => offset)).toEqual(offsets)
    expect(chunk.length).toBe(5)
    expect(chunk.offset).toBe(offsets[0])
    for (const [index, offset] of offsets.entries()) {
      expect(chunk.at(index)).toEqual({ offset, time: 1_000 + offset, value: `${offset}`.padStart(10) })
      expect(Buffer.from(chunk.bytes(index)).toString()).toBe(`${offset}`.padStart(10))
    }
    expect(chunk.at(-1).offset).toBe(offsets[4])
    expect(chunk.at(5)).toBeUndefined()
    expect(chunk.at(-6)).toBeUndefined()
    for (const index of [5, -1, 0.5, Number.NaN]) {
      expect(() => chunk.bytes(index)).toThrow(expect.objectContaining({ code: 'VARVE_INVALID' }))
    }
  }
})

test('chunks() in the middle of a chunk is refused rather than skipping records', async () => {
  const { log } = await filled(5)
  const reader = log.read()
  await reader.next()
  expect(() => reader.chunks()).toThrow(TypeError)
  expect((await reader.toArray()).length).toBe(4)
})

test('a log opened with readOnly looks at the live mark first', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8', readOnly: true })
  addon.records = [Buffer.from('a'), Buffer.from('b')]
  addon.durableSize = 2 // the writer, elsewhere
  expect((await log.read().toArray()).map(({ value }) => value)).toEqual(['a', 'b'])
  addon.records.push(Buffer.from('c'))
  addon.durableSize = 3
  expect(await log.get(1)).toMatchObject({ value: 'b' })
  expect(addon.refreshes).toHaveLength(1)
  expect(await log.get(2)).toMatchObject({ value: 'c' })
  expect(log.head.size).toBe(3)
  expect(await log.get(3)).toBeUndefined()
  expect(await errorOf(log.append('x'))).toMatchObject({ code: 'VARVE_READ_ONLY', outcome: 'none' })
  expect(await log.flush()).toEqual(log.head)
})

test.each([0, 1, 2, 3])('toArray() after %i records gives the rest, wherever a chunk ends', async taken => {
  const { log } = await filled(6)
  const reader = log.read({ chunkBytes: 20 }) // two records a chunk
  for (let n = 0; n < taken; n++) await reader.next()
  expect((await reader.toArray()).map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5].slice(taken))
})
