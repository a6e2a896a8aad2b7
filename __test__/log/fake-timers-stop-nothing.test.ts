import { expect, onTestFinished, test, vi } from 'vitest'
import { newPath, openLog } from '../support/temp.js'

const record = Buffer.alloc(100_000)
/** Enough that taking them gives the event loop a turn on the way. */
const many = Array<Buffer>(10).fill(record)

test('every call of a log settles while the timers of a test stand still', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Date', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const log = await openLog(newPath())
  await log.append(record)
  await log.appendBatch([record, record])
  await log.appendAll(many)
  await ReadableStream.from(many).pipeTo(log.writable())
  expect((await log.flush()).size).toBe(23)
  expect(await log.get(22)).toMatchObject({ offset: 22 })
  expect(await log.read().toArray()).toHaveLength(23)
  expect(await log.offsetAt(0)).toBe(0)
  for await (const { offset } of log.tail({ from: 0 })) if (offset === 22) break
  expect(await log.verify()).toMatchObject({ ok: true, records: 23 })
  await log.close()
})
