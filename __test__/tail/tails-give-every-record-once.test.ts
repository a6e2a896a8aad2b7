import { expect, test } from 'vitest'
import type { LogRecord } from '../../lib/index.js'
import { newPath, openLog, texts, usedSegments } from '../support/temp.js'

/** The next `count` values of a tail, whose offsets must be dense from `first` on. */
async function take<T>(tail: AsyncIterator<LogRecord<T>>, first: number, count: number): Promise<T[]> {
  const values: T[] = []
  for (let n = 0; n < count; n++) {
    const { value, done } = await tail.next()
    expect([done, value?.offset]).toEqual([false, first + n])
    values.push(value.value)
  }
  return values
}

test('what was there comes first, then what is appended, each once', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const values = texts(300)
  await log.appendBatch(values.slice(0, 200))
  const tail = log.tail({ from: 'start' })
  expect(await take(tail, 0, 150)).toEqual(values.slice(0, 150))
  await log.appendBatch(values.slice(200, 250))
  const rest = take(tail, 150, 150)
  await log.appendBatch(values.slice(250))
  expect(await rest).toEqual(values.slice(150))
})

test("'end', the default, leaves out what was durable at the call, and nothing else", async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  await log.append('old')
  const pending = log.append('appended before, durable after')
  const tails = [log.tail(), log.tail({ from: 'end' }), log.tail({})]
  await pending
  await log.append('new')
  for (const tail of tails) expect(await take(tail, 1, 2)).toEqual(['appended before, durable after', 'new'])
})

test('an offset past the end is waited for', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const tail = log.tail({ from: 3 })
  const third = tail.next()
  for (const value of ['a', 'b', 'c', 'd']) await log.append(value)
  expect(await third).toMatchObject({ value: { offset: 3, value: 'd' } })
})

test('appends go on through rotations while a tail follows', async () => {
  const dir = newPath()
  const log = await openLog<string>(dir, { encoding: 'utf8', segmentBytes: 64 * 1024, compression: 'none' })
  const tail = log.tail()
  const appending = log.appendAll(texts(5_000, 100))
  expect(await take(tail, 0, 5_000)).toEqual(texts(5_000, 100))
  await appending
  expect(usedSegments(dir).length).toBeGreaterThan(5)
})

test('another log object on the folder follows the writer through rotations and close', async () => {
  const dir = newPath()
  const options = { encoding: 'utf8', segmentBytes: 64 * 1024, compression: 'none' } as const
  const writer = await openLog<string>(dir, options)
  const reader = await openLog<string>(dir, { ...options, readOnly: true })
  const tail = reader.tail()
  for (let round = 0; round < 5; round++) {
    const from = round * 1_000
    const got = take(tail, from, 1_000)
    const log = round === 0 ? writer : await openLog<string>(dir, options)
    await log.appendAll(texts(1_000, 100))
    expect(await got).toEqual(texts(1_000, 100))
    expect(reader.head).toMatchObject({ size: from + 1_000 })
    await log.close()
  }
  expect(usedSegments(dir).length).toBeGreaterThan(5)
})

test('several tails and overlapping pulls of one log each get everything', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const values = texts(100)
  const tails = Array.from({ length: 5 }, () => log.tail())
  const pulls = tails.map(tail => Promise.all(values.map(() => tail.next())))
  for (let at = 0; at < 100; at += 7) await log.appendBatch(values.slice(at, at + 7))
  for (const pull of pulls) expect((await pull).map(({ value }) => value.value)).toEqual(values)
})

test('a tail of a log in memory', async () => {
  const { openMemory } = await import('../../lib/index.js')
  const log = await openMemory({ encoding: 'utf8' })
  const tail = log.tail()
  const first = tail.next()
  await log.append('a')
  expect(await first).toMatchObject({ done: false, value: { offset: 0, value: 'a' } })
  await log.close()
  expect(await tail.next()).toEqual({ done: true, value: undefined })
})

test('bad options are named', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  for (const [options, name] of [
    [{ from: 'begin' }, /from must be an offset, 'start' or 'end', got "begin"/],
    [{ from: -1 }, /from must be a safe integer/],
    [{ from: null }, /from/],
    [{ to: 3 }, /unknown option "to"/],
    [{ signal: {} }, /signal must be an AbortSignal/],
  ] as const) {
    expect(() => log.tail(options as any)).toThrow(name)
  }
})
