import { expect, test } from 'vitest'
import { errorOf, openFake, stateOf, tick } from '../support/fake-log.js'

const maxPendingBytes = 10_000

test('above 4 × maxPendingBytes append rejects with VARVE_BUSY and has taken nothing', async () => {
  const { addon, log } = await openFake({ maxPendingBytes })
  const taken = Array.from({ length: 40 }, () => log.append(Buffer.alloc(1_000 - 256)))
  expect(log.pendingBytes).toBe(40_000)
  const error = await errorOf(log.append(Buffer.alloc(0)))
  expect(error).toMatchObject({ name: 'VarveError', code: 'VARVE_BUSY', outcome: 'none' })
  expect(log.pendingBytes).toBe(40_000)
  await tick()
  expect(addon.submitted).toBe(40)
  addon.sync()
  await Promise.all(taken)
  const again = log.append(Buffer.alloc(0))
  await tick()
  addon.sync()
  expect((await again).offset).toBe(40)
})

test('one call over the hard limit is a RangeError, and nothing of it is taken', async () => {
  const { addon, log } = await openFake({ maxPendingBytes })
  for (const call of [
    log.append(Buffer.alloc(40_000)),
    log.appendBatch(Array.from({ length: 200 }, () => Buffer.alloc(1))),
  ]) {
    const error = await errorOf(call)
    expect(error).toBeInstanceOf(RangeError)
    expect(error.code).toBe('VARVE_INVALID')
    expect(error.message).toMatch(/4 × maxPendingBytes = 40000/)
  }
  await tick()
  expect(addon.submissions).toHaveLength(0)
  expect(log.pendingBytes).toBe(0)
})

test('drained() waits above maxPendingBytes and resolves at or below it', async () => {
  const { addon, log } = await openFake({ maxPendingBytes })
  await log.drained()
  for (let n = 0; n < 11; n++) void log.append(Buffer.alloc(1_000 - 256))
  const drained = log.drained()
  expect(await stateOf(drained)).toBe('pending')
  addon.sync(1)
  await drained
  expect(log.pendingBytes).toBe(10_000)
})

test('drained() rejects with the reason of its signal, and with that of one already aborted', async () => {
  const { log } = await openFake({ maxPendingBytes })
  for (let n = 0; n < 11; n++) void log.append(Buffer.alloc(1_000))
  const controller = new AbortController()
  const drained = log.drained({ signal: controller.signal })
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(drained).rejects.toBe(reason)
  await expect(log.drained({ signal: controller.signal })).rejects.toBe(reason)
})
