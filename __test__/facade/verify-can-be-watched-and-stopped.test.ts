import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { inspectWith, verifyWith } from '../../lib/open.js'
import { FakeBinding } from '../support/fake-binding.js'
import { errorOf, openFake } from '../support/fake-log.js'

const report = { ok: true, records: 0, bytes: 0, established: 'internal', problems: [] }

test('progress reaches the callback, the report the caller', async () => {
  const { addon, log } = await openFake()
  const seen: unknown[] = []
  const verify = log.verify({ onProgress: progress => seen.push(progress) })
  const [request] = addon.verifies as [number]
  addon.emit({ type: 'progress', request, bytes: 1, totalBytes: 2 }, { type: 'done', request, value: report })
  expect(await verify).toEqual(report)
  expect(seen).toEqual([{ bytes: 1, totalBytes: 2 }])
})

test.each(['log.verify', 'verify', 'inspect'])('%s rejects with the reason of its signal', async name => {
  const addon = new FakeBinding()
  const { log } = await openFake(undefined, addon)
  const call = {
    'log.verify': (signal: AbortSignal) => log.verify({ signal }),
    verify: (signal: AbortSignal) => verifyWith(() => addon, '/nowhere', { signal }),
    inspect: (signal: AbortSignal) => inspectWith(() => addon, '/nowhere', { signal }),
  }[name]!
  const reason = new Error('enough')
  await expect(call(AbortSignal.abort(reason))).rejects.toBe(reason)
  expect(addon.verifies).toHaveLength(0)
  const controller = new AbortController()
  const pending = errorOf(call(controller.signal))
  await new Promise(setImmediate)
  controller.abort(reason)
  expect(await pending).toBe(reason)
  expect(addon.cancelled).toEqual(addon.verifies)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
  addon.fail(addon.verifies[0]!, { code: 'ABORTED', message: 'aborted' }) // late, and dropped
})

test('what onProgress throws ends the verify, not the process', async () => {
  const { addon, log } = await openFake()
  const boom = new Error('in the callback')
  const verify = errorOf(
    log.verify({
      onProgress() {
        throw boom
      },
    }),
  )
  await new Promise(setImmediate)
  addon.emit({ type: 'progress', request: addon.verifies[0]!, bytes: 1, totalBytes: 2 })
  expect(await verify).toBe(boom)
  expect(addon.cancelled).toEqual(addon.verifies)
})
