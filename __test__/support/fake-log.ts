/** Logs on a fake addon, and how their promises stand: for tests of what the facade does by itself. */
import { openWith } from '../../lib/open.js'
import type { Log, OpenOptions } from '../../lib/types.js'
import { FakeBinding } from './fake-binding.js'

process.setMaxListeners(0) // each fake is an environment of its own, with an exit listener of its own

/** A log on a fake addon: protocol tests only. */
export async function openFake<In = Uint8Array>(
  options?: OpenOptions,
  addon = new FakeBinding(),
): Promise<{ addon: FakeBinding; log: Log<In, any> }> {
  const opening = openWith(() => addon, '/nowhere', options)
  addon.answerOpen()
  return { addon, log: await opening }
}

/** Lets `process.nextTick` callbacks and what follows from them run. */
export const tick = () => new Promise<void>(resolve => setImmediate(resolve))

/** How a promise stands, without waiting for it. */
export async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'resolved' | 'rejected'> {
  const pending = Symbol()
  await tick()
  return Promise.race([promise, Promise.resolve(pending)]).then(
    value => (value === pending ? 'pending' : 'resolved'),
    () => 'rejected',
  )
}

/** The error that a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<any> {
  return promise.then(
    value => {
      throw new Error(`expected a rejection, got ${JSON.stringify(value)}`)
    },
    error => error,
  )
}
