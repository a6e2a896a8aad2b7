import { expect, test } from 'vitest'
import { type Log, open } from '../../lib/index.js'
import { newPath, openLog } from '../support/temp.js'

// The failed state needs a disk that fails: see process/full-disk-stops-the-log.test.ts.

const calls: Record<string, (log: Log<string>) => unknown> = {
  append: log => log.append('x'),
  appendBatch: log => log.appendBatch(['x']),
  appendAll: log => log.appendAll(['x']),
  flush: log => log.flush(),
  flushSync: async log => log.flushSync(),
  get: log => log.get(0),
  'read.next': log => log.read().next(),
  'read.toArray': log => log.read().toArray(),
  'read.chunks': log => log.read().chunks().next(),
  'tail.next': log => log.tail({ from: 0 }).next(),
  offsetAt: log => log.offsetAt(0),
  verify: log => log.verify(),
  stats: async log => log.stats(),
}

test.each(Object.keys(calls))('open: %s works', async name => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  await log.append('first')
  await calls[name]!(log)
  await log.drained()
})

test.each(Object.keys(calls))('closing: %s is VARVE_CLOSED', async name => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const pending = log.append('first')
  const closing = log.close()
  await expect(calls[name]!(log)).rejects.toMatchObject({ name: 'VarveError', code: 'VARVE_CLOSED' })
  await closing
  expect(await pending).toMatchObject({ offset: 0 })
})

test.each(Object.keys(calls))('closed: %s is VARVE_CLOSED, and what was known is still known', async name => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const { head } = await log.append('first')
  await log.close()
  await expect(calls[name]!(log)).rejects.toMatchObject({ name: 'VarveError', code: 'VARVE_CLOSED' })
  expect(log.head).toEqual(head)
  expect(log.firstOffset).toBe(0)
  expect(log.pendingBytes).toBe(0)
  expect(log.failure).toBeUndefined()
  await log.drained()
  await log.close()
  await log[Symbol.asyncDispose]()
})

test('opening: a second open of the folder is VARVE_LOCKED, one of another folder is not in the way', async () => {
  const dir = newPath()
  const results = await Promise.allSettled([open(dir), open(dir), open(newPath())])
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'fulfilled', 'rejected'])
  for (const result of results) if (result.status === 'fulfilled') await result.value.close()
})

test('a reader that was open when the log closed gets VARVE_CLOSED at its next native call', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  await log.appendBatch(Array.from({ length: 10_000 }, (_, n) => `record ${n}`))
  const chunks = log.read({ chunkBytes: 100 }).chunks()
  await chunks.next()
  await log.close()
  let error: any
  try {
    for await (const _ of chunks);
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code: 'VARVE_CLOSED' })
})

test('close with appends pending makes them durable first', async () => {
  const dir = newPath()
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  const pending = Array.from({ length: 1_000 }, (_, n) => log.append(`record ${n}`))
  await log.close()
  expect((await Promise.all(pending)).at(-1)).toMatchObject({ offset: 999, head: { size: 1_000 } })
  const again = await openLog<string>(dir, { encoding: 'utf8' })
  expect(again.head.size).toBe(1_000)
})

test('a hundred logs at once, each with its own offsets', async () => {
  const logs = await Promise.all(Array.from({ length: 100 }, () => openLog<string>(newPath(), { encoding: 'utf8' })))
  const receipts = await Promise.all(logs.flatMap(log => [log.append('a'), log.append('b')]))
  expect(receipts.map(({ offset }) => offset)).toEqual(logs.flatMap(() => [0, 1]))
  expect(new Set(receipts.map(({ head }) => head.id)).size).toBe(100)
  await Promise.all(logs.map(log => log.close()))
})
