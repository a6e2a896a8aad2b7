import { readdirSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { type Log, type OpenOptions, open, openMemory } from '../../lib/index.js'
import { openMemoryWith } from '../../lib/open.js'
import { Child } from '../support/child.js'
import { FakeBinding } from '../support/fake-binding.js'
import { errorOf } from '../support/fake-log.js'
import { newPath, texts } from '../support/temp.js'

async function openTexts(options: OpenOptions = {}): Promise<Log<string>> {
  const log = await openMemory({ ...options, encoding: 'utf8' })
  onTestFinished(() => log.close().catch(() => {}))
  return log
}

test('a memory log is a log: receipts, reads, rotation, secret, verify', async () => {
  const before = readdirSync('.')
  const log = await openTexts({ segmentBytes: 64 * 1024, compression: 'none', secret: Buffer.alloc(32, 1) })
  expect(log.location).toMatch(/^memory:\d+$/)
  expect(log.head.size).toBe(0)
  expect(log.recovery).toBeUndefined()
  const values = texts(3_000, 100)
  const receipt = await log.append(values[0]!, { expectedOffset: 0 })
  expect(receipt).toMatchObject({ offset: 0, count: 1, head: { id: log.head.id, size: 1 } })
  expect(await log.appendBatch(values.slice(1, 1_500))).toMatchObject({ offset: 1, count: 1_499 })
  expect(await log.appendAll(values.slice(1_500))).toMatchObject({ count: 1_500, head: log.head })
  expect((await log.read({ verify: true }).toArray()).map(({ value }) => value)).toEqual(values)
  expect((await log.read({ from: 10, to: 20, reverse: true }).toArray()).map(({ offset }) => offset)).toEqual([
    19, 18, 17, 16, 15, 14, 13, 12, 11, 10,
  ])
  expect((await log.get(2_999))!.value).toBe(values[2_999])
  expect(await log.offsetAt(0)).toBe(0)
  expect(await log.offsetAt(Date.now() + 60_000)).toBe(3_000)
  expect(await log.flush()).toEqual(log.head)
  log.flushSync()
  expect(log.stats()).toMatchObject({ records: 3_000, pendingBytes: 0 })
  expect(await log.verify({ expectHead: receipt.head })).toMatchObject({ ok: true, records: 3_000, head: log.head })
  await log.close()
  expect(readdirSync('.')).toEqual(before)
})

test('each has a name, an id and records of its own; a closed one leaves nothing', async () => {
  const [first, second] = await Promise.all([openTexts(), openTexts()])
  expect(first.location).not.toBe(second.location)
  expect(first.head.id).not.toBe(second.head.id)
  await first.append('x')
  expect([first.head.size, second.head.size]).toEqual([1, 0])
  await first.close()
  const third = await openTexts()
  expect(third.head.size).toBe(0)
  expect([first.location, second.location]).not.toContain(third.location)
})

test('the errors are those of a log on disk, with its name in place of a path', async () => {
  const log = await openTexts({ maxRecordBytes: 100, maxPendingBytes: 1_024 })
  const location = log.location
  await expect(log.append('x'.repeat(101))).rejects.toBeInstanceOf(RangeError)
  await expect(log.append(5 as any)).rejects.toBeInstanceOf(TypeError)
  await expect(log.append('x', { expectedOffset: 1 })).rejects.toMatchObject({
    code: 'VARVE_OFFSET_CONFLICT',
    found: 0,
  })
  const calls = await Promise.allSettled(Array.from({ length: 20 }, () => log.append('x')))
  expect(calls.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'VARVE_BUSY', outcome: 'none' } })
  const pending = log.append('last')
  await log.close()
  expect((await pending).offset).toBe(log.head.size - 1)
  for (const call of [() => log.append('x'), () => log.get(0), () => log.verify(), () => log.read().next()]) {
    await expect(call()).rejects.toMatchObject({ code: 'VARVE_CLOSED', path: location })
  }
})

test.each<[string, Omit<OpenOptions, 'encoding'>]>([
  ['VARVE_NOT_FOUND', { readOnly: true }],
  ['VARVE_NOT_FOUND', { createIfMissing: false }],
  ['VARVE_HEAD_MISMATCH', { expectHead: { id: 'a'.repeat(64), size: 1, hash: 'b'.repeat(64) } }],
])('%s where the options ask for what only an older log has: %o, as in an empty folder', async (code, options) => {
  const error = await errorOf(openMemory({ ...options, encoding: 'utf8' }))
  expect(error).toMatchObject({ name: 'VarveError', code, path: expect.stringMatching(/^memory:\d+$/) })
  expect(error).toMatchObject({ code: (await errorOf(open(newPath(), { ...options, encoding: 'utf8' }))).code })
})

test('errorIfExists and lockTimeout hold for a new log anyway', async () => {
  expect((await openTexts({ errorIfExists: true, lockTimeout: 1_000 })).head.size).toBe(0)
})

test('unknown and impossible options are refused by name before anything is opened', async () => {
  const addon = new FakeBinding()
  for (const [options, message] of [
    ['./dir', /^options must be an object, got ".\/dir"$/],
    [{ dir: 'x' }, /^unknown option "dir"/],
    [{ segmentBytes: 1 }, /^segmentBytes must be/],
  ] as const) {
    const error = await errorOf(openMemoryWith(() => addon, options))
    expect(error).toMatchObject({ code: 'VARVE_INVALID', message: expect.stringMatching(message) })
  }
  expect(addon.opens).toHaveLength(0)
})

test('closing frees the memory', async () => {
  const before = process.memoryUsage().rss
  for (let n = 0; n < 40; n++) {
    const log = await openMemory({ compression: 'none', cacheBytes: 0 })
    await log.append(Buffer.alloc(16 << 20, n))
    await log.close()
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(320 << 20) // half of what was appended
})

test('a process may end with one open, and waits for what it awaits', async () => {
  const ended = await new Child('memory.mjs', []).ended
  expect(ended, ended.stderr).toMatchObject({ code: 7, signal: null, lines: ['1'] })
})

test('more logs than are told of at a time can grow at once', async () => {
  const logs = await Promise.all(Array.from({ length: 150 }, () => openTexts()))
  const receipts = logs.map((log, index) => log.appendBatch(texts(index + 1, 10)))
  // All of them are durable before the event loop hears of the first.
  for (const log of logs) log.flushSync()
  const heads = logs.map(log => log.head.size)
  expect(heads.every(size => size === 0)).toBe(true)
  expect((await Promise.all(receipts)).map(({ count }) => count)).toEqual(logs.map((_, index) => index + 1))
})
