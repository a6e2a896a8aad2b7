import { expect, test } from 'vitest'
import { errorOf, openFake, stateOf, tick } from '../support/fake-log.js'

test('close hands over what is staged, resolves it, then resolves itself; twice is fine', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const append = log.append('pending')
  const first = log.close()
  const second = log.close()
  expect(addon.records.map(String)).toEqual(['pending'])
  expect(await stateOf(first)).toBe('pending')
  expect(await errorOf(log.append('late'))).toMatchObject({ code: 'VARVE_CLOSED', outcome: 'none' })
  addon.sync()
  addon.finishClose()
  expect((await append).offset).toBe(0)
  await Promise.all([first, second, log.close(), log[Symbol.asyncDispose]()])
})

test('an append that close could not make durable rejects, and so does close; the log is closed all the same', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const append = log.append('lost')
  const closing = log.close()
  addon.finishClose({ code: 'VARVE_IO', message: 'no space', systemCode: 'ENOSPC', errno: 28, syscall: 'write' })
  expect(await errorOf(append)).toMatchObject({ code: 'VARVE_IO', outcome: 'unknown' })
  expect(await errorOf(closing)).toMatchObject({ code: 'VARVE_IO', cause: { code: 'ENOSPC' } })
  await log.close()
  expect(await errorOf(log.append('x'))).toMatchObject({ code: 'VARVE_CLOSED' })
})

test('close stops a verify, waits for other answers, and rejects what the addon left unanswered', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  void log.append('a')
  await tick()
  addon.sync()
  addon.autoRead = false
  const read = log.get(0)
  const verify = log.verify()
  const closing = log.close()
  expect(addon.cancelled).toEqual(addon.verifies) // a verify may take hours
  expect(addon.closed).toBe(false)
  addon.answerGet(addon.gets[0]!.request)
  expect((await read)?.value).toBe('a')
  await tick()
  addon.finishClose()
  expect(await errorOf(verify)).toMatchObject({ code: 'VARVE_CLOSED' })
  await closing
  expect(addon.holds.at(-1)).toBe(false)
})

test('the exit listener is there exactly while a log is open', async () => {
  const before = process.listenerCount('exit')
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  expect(process.listenerCount('exit')).toBe(before + 1)
  const closing = log.close()
  addon.finishClose()
  await closing
  expect(process.listenerCount('exit')).toBe(before)
})

test('the exit listener hands over what is staged and closes all logs; flushSync after it is quiet', async () => {
  const before = process.listeners('exit')
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const [listener] = process.listeners('exit').filter(one => !before.includes(one)) as [any]
  void log.append('staged')
  listener(0)
  expect(addon.records.map(String)).toEqual(['staged'])
  expect(addon.closeAlls).toBe(1)
  log.flushSync()
  expect(await errorOf(log.append('late'))).toMatchObject({ code: 'VARVE_CLOSED' })
  process.removeListener('exit', listener)
})

test('a flush that was asked for before close resolves', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  void log.append('a')
  const flush = log.flush()
  const closing = log.close()
  expect(addon.cancelled).toEqual([])
  addon.sync()
  expect((await flush).size).toBe(1)
  await tick()
  addon.finishClose()
  await closing
})
