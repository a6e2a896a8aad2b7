import { expect, test } from 'vitest'
import type { NativeError } from '../../lib/native.js'
import { errorOf, openFake, tick } from '../support/fake-log.js'

const EIO: NativeError = {
  code: 'VARVE_IO',
  message: 'fdatasync failed on /nowhere/0000000001.seg: Input/output error (os error 5)',
  path: '/nowhere/0000000001.seg',
  errno: 5,
  syscall: 'fdatasync',
  systemCode: 'EIO',
  systemMessage: 'i/o error',
}

test('waiters get VARVE_IO with outcome unknown and a system error; later appends VARVE_FAILED with outcome none', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const done = log.append('durable')
  const waiting = log.append('waiting')
  await tick()
  addon.sync(1)
  addon.emit({ type: 'failed', log: 1, error: EIO })
  expect((await done).offset).toBe(0)
  const error = await errorOf(waiting)
  expect(error).toMatchObject({ code: 'VARVE_IO', outcome: 'unknown', path: EIO.path })
  expect(error.cause).toBeInstanceOf(Error)
  expect(error.cause).toMatchObject({ code: 'EIO', errno: -5, syscall: 'fdatasync' })
  expect(log.failure).toBe(error)
  expect(log.pendingBytes).toBe(0)

  const later = await errorOf(log.append('later'))
  expect(later).toMatchObject({ code: 'VARVE_FAILED', outcome: 'none' })
  expect(later.cause).toBe(error)
  expect(await errorOf(log.appendBatch(['later']))).toMatchObject({ code: 'VARVE_FAILED', outcome: 'none' })
  expect(await errorOf(log.flush())).toMatchObject({ code: 'VARVE_FAILED', cause: error })
  expect(() => log.flushSync()).toThrow(expect.objectContaining({ code: 'VARVE_FAILED' }))
  await log.drained()
})

test('what was staged and never crossed is refused with outcome none', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const crossed = log.append('crossed')
  await tick()
  const staged = log.append('staged')
  addon.emit({ type: 'failed', log: 1, error: EIO })
  expect(await errorOf(crossed)).toMatchObject({ code: 'VARVE_IO', outcome: 'unknown' })
  expect(await errorOf(staged)).toMatchObject({ code: 'VARVE_FAILED', outcome: 'none' })
  await tick()
  expect(addon.submitted).toBe(1)
})

test('when the addon refuses a crossing, everything of it has outcome none', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const crossed = log.append('crossed')
  await tick()
  addon.refuse = { code: 'VARVE_FAILED', message: 'stopped', cause: EIO }
  const refused = [log.append('a'), log.appendBatch(['b', 'c'])]
  for (const append of refused) {
    expect(await errorOf(append)).toMatchObject({ code: 'VARVE_FAILED', outcome: 'none', cause: { code: 'VARVE_IO' } })
  }
  addon.emit({ type: 'failed', log: 1, error: EIO })
  expect(await errorOf(crossed)).toMatchObject({ code: 'VARVE_IO', outcome: 'unknown' })
  expect(await errorOf(log.append('d'))).toMatchObject({ code: 'VARVE_FAILED', outcome: 'none' })
})

test('reading goes on, and close rejects because something accepted was lost', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  void log.append('durable')
  const lost = errorOf(log.append('lost'))
  await tick()
  addon.sync(1)
  addon.emit({ type: 'failed', log: 1, error: EIO })
  await lost
  expect(await log.get(0)).toMatchObject({ offset: 0, value: 'durable' })
  const closing = log.close()
  addon.finishClose()
  expect(await errorOf(closing)).toMatchObject({ code: 'VARVE_FAILED', cause: { code: 'VARVE_IO' } })
  await log.close()
  expect(await errorOf(log.append('x'))).toMatchObject({ code: 'VARVE_CLOSED' })
})
