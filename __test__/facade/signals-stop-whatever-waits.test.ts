import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { inspectWith, openWith, verifyWith } from '../../lib/open.js'
import type { Log } from '../../lib/types.js'
import type { FakeBinding } from '../support/fake-binding.js'
import { errorOf, openFake, stateOf, tick } from '../support/fake-log.js'
import { newPath, openLog } from '../support/temp.js'

interface Wait {
  /** Begins to wait on a log with a record that is pending and above `maxPendingBytes`. */
  begin(log: Log<string>, signal: AbortSignal, addon: FakeBinding): Promise<unknown>
  /** Makes it end well. */
  finish(addon: FakeBinding): void
  readOnly?: boolean
}

const report = { ok: true }
const neverEnding = {
  [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }),
}

const waits: Record<string, Wait> = {
  open: {
    begin: (_, signal, addon) => openWith(() => addon, '/elsewhere', { signal, lockTimeout: 1_000 }),
    finish: addon => addon.answerOpen({ log: 2 }),
  },
  drained: { begin: (log, signal) => log.drained({ signal }), finish: addon => addon.sync() },
  'appendAll, full': { begin: (log, signal) => log.appendAll(['b'], { signal }), finish: () => {} },
  'appendAll, source stuck': {
    begin: (log, signal, addon) => {
      addon.sync()
      return log.appendAll(neverEnding, { signal })
    },
    finish: () => {},
  },
  read: {
    begin: (log, signal, addon) => {
      addon.autoRead = false
      addon.sync()
      return log.read({ signal }).next()
    },
    finish: addon => addon.answerRead(addon.reads[0]!.request),
  },
  tail: { begin: (log, signal) => log.tail({ signal }).next(), finish: addon => addon.sync() },
  'tail, readOnly': {
    begin: (log, signal) => log.tail({ signal, from: 0 }).next(),
    finish: addon => {
      addon.records = [Buffer.from('a')]
      addon.grow(1)
    },
    readOnly: true,
  },
  'log.verify': {
    begin: (log, signal) => log.verify({ signal }),
    finish: addon => addon.done(addon.verifies[0]!, report),
  },
  verify: {
    begin: (_, signal, addon) => verifyWith(() => addon, '/elsewhere', { signal }),
    finish: addon => addon.done(addon.verifies[0]!, report),
  },
  inspect: {
    begin: (_, signal, addon) => inspectWith(() => addon, '/elsewhere', { signal }),
    finish: addon => addon.done(addon.verifies[0]!, {}),
  },
}

describe.each(Object.entries(waits))('%s', (name, { begin, finish, readOnly = false }) => {
  async function prepare() {
    const { addon, log } = await openFake<string>({ encoding: 'utf8', maxPendingBytes: 1_024, readOnly })
    if (!readOnly) log.append('a'.repeat(1_024)).catch(() => {})
    await tick()
    return { addon, log, controller: new AbortController() }
  }

  test('an aborted signal rejects with its reason, and asks the engine for nothing', async () => {
    const { addon, log, controller } = await prepare()
    const reason = { why: 'any value' }
    controller.abort(reason)
    const asked = [addon.opens.length, addon.reads.length, addon.follows.length, addon.verifies.length]
    expect(await errorOf(begin(log, controller.signal, addon))).toBe(reason)
    expect([addon.opens.length, addon.reads.length, addon.follows.length, addon.verifies.length]).toEqual(asked)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  test('an abort while it waits rejects with the reason, lets go and leaves no listener', async () => {
    const { addon, log, controller } = await prepare()
    const waiting = begin(log, controller.signal, addon)
    expect(await stateOf(waiting)).toBe('pending')
    expect(getEventListeners(controller.signal, 'abort').length).toBeGreaterThan(0)
    const reason = new Error('enough')
    controller.abort(reason)
    if (name === 'appendAll, full') addon.sync() // it settles what it took first
    expect(await errorOf(waiting)).toBe(reason)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    addon.sync()
    await tick()
    expect(addon.holds.at(-1)).toBe(false)
  })

  if (name.startsWith('appendAll')) return // see append-all-applies-back-pressure.test.ts
  test('an end without abort leaves no listener', async () => {
    const { addon, log, controller } = await prepare()
    const waiting = begin(log, controller.signal, addon)
    await tick()
    finish(addon)
    await waiting
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    controller.abort()
    await tick()
  })
})

test('an open that was aborted never takes the lock, whenever the abort comes', async () => {
  const dir = newPath()
  const holder = await openLog(dir)
  const waiting = new AbortController()
  const outcome = errorOf(openLog(dir, { lockTimeout: 60_000, signal: waiting.signal }))
  await tick()
  waiting.abort(new Error('enough'))
  expect(await outcome).toBe(waiting.signal.reason)
  await holder.close()
  // Here the engine may be done before it hears of the abort; then it closes what it has opened.
  for (let n = 0; n < 20; n++) {
    const late = new AbortController()
    const opening = openLog(dir, { lockTimeout: 60_000, signal: late.signal })
    for (let ticks = 0; ticks < n; ticks++) await tick()
    late.abort()
    await opening.then(
      log => log.close(),
      error => expect(error).toBe(late.signal.reason),
    )
  }
  const log = await openLog(dir, { lockTimeout: 60_000 })
  await log.append(Buffer.from('a'))
})
