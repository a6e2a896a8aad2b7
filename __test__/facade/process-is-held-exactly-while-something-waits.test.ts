import { expect, test } from 'vitest'
import { openFake, tick } from '../support/fake-log.js'

test('hold is called on 0 ↔ 1 only, and off when nothing waits', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  expect(addon.holds).toEqual([true, false]) // open
  addon.holds = []
  const appends = [log.append('a'), log.append('b')]
  const flush = log.flush()
  expect(addon.holds).toEqual([true])
  addon.sync()
  await Promise.all([...appends, flush])
  expect(addon.holds).toEqual([true, false])
})

test('a reader holds while it waits, not while the consumer works', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  void log.append('a')
  await tick()
  addon.sync()
  addon.holds = []
  for await (const _ of log.read()) expect(addon.holds).toEqual([true, false])
  expect(addon.holds).toEqual([true, false])
})

test('failed, refused and aborted calls let go', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  addon.holds = []
  addon.refuse = { code: 'VARVE_INVALID', message: 'no' }
  await log.append('a').catch(() => {})
  addon.refuse = undefined
  const append = log.append('a').catch(() => {})
  await tick()
  const controller = new AbortController()
  const verify = log.verify({ signal: controller.signal }).catch(() => {})
  controller.abort()
  addon.emit({ type: 'failed', log: 1, error: { code: 'VARVE_IO', message: 'no' } })
  await Promise.all([append, verify])
  expect(addon.holds).toEqual([true, false, true, false])
})

test('an append made while others are being settled is held once', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  addon.holds = []
  let late: Promise<unknown> | undefined
  const all = log.appendAll(['a'], { onProgress: () => (late ??= log.append('b')) })
  await tick()
  addon.sync()
  await tick()
  addon.sync()
  await Promise.all([all, late])
  expect(addon.holds).toEqual([true, false])
})
