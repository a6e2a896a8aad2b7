import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Log, open, type ReadOptions } from '../../lib/index.js'
import { newPath, openLog, random, texts } from '../support/temp.js'

const COUNT = 2_000
const values = texts(COUNT, 120)
const all = values.map((_, n) => n)
let log: Log<string>

beforeAll(async () => {
  const { mkdtempSync } = await import('node:fs')
  const { tmpdir } = await import('node:os')
  const dir = mkdtempSync(`${tmpdir()}/varve-test-`)
  // Several segments, frames of several sizes, the last records in the active segment.
  log = await open(dir, { encoding: 'utf8', segmentBytes: 64 * 1024, compression: 'none' })
  for (let at = 0; at < COUNT; at += 1 + (at % 37)) {
    await log.appendBatch(values.slice(at, Math.min(COUNT, at + 1 + (at % 37))))
  }
  expect(log.head.size).toBe(COUNT)
})
afterAll(async () => {
  const { rmSync } = await import('node:fs')
  await log.close()
  rmSync(log.location, { recursive: true })
})

/** What the documentation says `read` gives. */
function expected({ from = 0, to = COUNT, limit = Infinity, reverse = false }: ReadOptions): number[] {
  const range = all.slice(from, Math.max(from, to))
  if (reverse) range.reverse()
  return range.slice(0, limit === Infinity ? undefined : limit)
}

test.each<ReadOptions>([
  {},
  { reverse: true },
  { from: 5, to: 6 },
  { from: 5, to: 5 },
  { from: 6, to: 5 },
  { from: COUNT },
  { from: COUNT + 5 },
  { to: COUNT + 5 },
  { to: 0 },
  { limit: 0 },
  { limit: 1 },
  { limit: 1, reverse: true },
  { limit: Infinity },
  { from: 100, to: 1_900, limit: 1_000 },
  { from: 100, to: 1_900, limit: 1_000, reverse: true },
  { from: 100, to: 1_900, chunkBytes: 1 },
  { from: 100, to: 1_900, chunkBytes: 1, reverse: true },
  { verify: true },
  { verify: true, reverse: true, from: 1_000 },
])('%o', async options => {
  const records = await log.read(options).toArray()
  expect(records.map(({ offset }) => offset)).toEqual(expected(options))
  for (const { offset, value } of records) expect(value).toBe(values[offset])
})

test('random ranges, read in all four ways, agree', async () => {
  const seed = Number(process.env.VARVE_SEED ?? 4242)
  console.log(`ranges-and-directions: VARVE_SEED=${seed}`)
  const pick = random(seed)
  for (let n = 0; n < 60; n++) {
    const options: ReadOptions = {
      from: Math.floor(pick() * (COUNT + 50)),
      to: Math.floor(pick() * (COUNT + 50)),
      reverse: pick() < 0.5,
      verify: pick() < 0.2,
      chunkBytes: 1 + Math.floor(pick() * 20_000),
    }
    if (pick() < 0.5) options.limit = Math.floor(pick() * 500)
    const offsets = expected(options)
    expect(
      (await log.read(options).toArray()).map(({ offset }) => offset),
      JSON.stringify(options),
    ).toEqual(offsets)
    const one: number[] = []
    for await (const { offset, value } of log.read(options)) {
      one.push(offset)
      expect(value).toBe(values[offset])
    }
    expect(one).toEqual(offsets)
    const chunked: number[] = []
    for await (const chunk of log.read(options).chunks()) {
      expect(chunk.length).toBeGreaterThan(0)
      expect(chunk.offset).toBe(offsets[chunked.length])
      for (const { offset } of chunk) chunked.push(offset)
    }
    expect(chunked).toEqual(offsets)
  }
})

test('get: every offset, undefined from the head on', async () => {
  for (const offset of [0, 1, 999, 1_000, COUNT - 1]) {
    expect(await log.get(offset)).toEqual({ offset, time: expect.any(Number), value: values[offset] })
  }
  const some = await Promise.all(all.slice(500, 700).map(offset => log.get(offset)))
  expect(some.map(record => record!.value)).toEqual(values.slice(500, 700))
  for (const offset of [COUNT, COUNT + 1, Number.MAX_SAFE_INTEGER]) expect(await log.get(offset)).toBeUndefined()
})

test('offsetAt gives the first record at or after a time', async () => {
  const times = (await log.read().toArray()).map(({ time }) => time)
  for (const time of [0, times[0]!, times[700]!, times[700]! + 1, times.at(-1)!, times.at(-1)! + 1, new Date(), 1e15]) {
    const ms = Number(time)
    const first = times.findIndex(t => t >= ms)
    expect(await log.offsetAt(time)).toBe(first < 0 ? COUNT : first)
  }
})

test('an empty log reads as nothing', async () => {
  const empty = await openLog<string>(newPath(), { encoding: 'utf8' })
  expect(await empty.read().toArray()).toEqual([])
  expect(await empty.read({ reverse: true }).toArray()).toEqual([])
  expect(await empty.get(0)).toBeUndefined()
  expect(await empty.offsetAt(0)).toBe(0)
  expect(empty.head.size).toBe(0)
  expect((await empty.verify()).ok).toBe(true)
})

test('a chunk owns its memory: later reads and appends leave it alone', async () => {
  const { value: chunk } = await log.read({ chunkBytes: 5_000 }).chunks().next()
  const before = [...chunk].map(({ value }) => value)
  await log.read().toArray()
  expect([...chunk].map(({ value }) => value)).toEqual(before)
})

test('a read during appends gives the records up to the head at its first pull', async () => {
  const live = await openLog<string>(newPath(), { encoding: 'utf8' })
  await live.appendBatch(texts(100))
  const reader = live.read({ chunkBytes: 50 })
  await reader.next()
  const more = live.appendAll(texts(1_000))
  expect((await reader.toArray()).length).toBe(99)
  await more
  expect((await live.read().toArray()).length).toBe(1_100)
})

test('an aborted read rejects with the reason; the log and other readers go on', async () => {
  const controller = new AbortController()
  const reader = log.read({ signal: controller.signal, chunkBytes: 100 })
  await reader.next()
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(
    (async () => {
      for await (const _ of reader);
    })(),
  ).rejects.toBe(reason)
  expect((await log.read({ limit: 5 }).toArray()).length).toBe(5)
})
