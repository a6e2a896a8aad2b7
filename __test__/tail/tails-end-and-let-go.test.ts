import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { errorOf, openFake, stateOf, tick } from '../support/fake-log.js'
import { newPath, openLog } from '../support/temp.js'

const DONE = { done: true, value: undefined }

test('abort rejects the pull that waits with the reason, and the tail is over', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  for (const readOnly of [false, true]) {
    const source = readOnly ? await openLog<string>(log.location, { encoding: 'utf8', readOnly }) : log
    const controller = new AbortController()
    const tail = source.tail({ signal: controller.signal })
    const pull = tail.next()
    await tick()
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await errorOf(pull)).toBe(reason)
    expect(await tail.next()).toEqual(DONE)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  }
})

test('an aborted signal rejects the first pull', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  await log.append('a')
  const signal = AbortSignal.abort(new Error('never begun'))
  for (const from of ['start', 'end'] as const) {
    expect(await errorOf(log.tail({ from, signal }).next())).toBe(signal.reason)
  }
})

test('abort between two pulls rejects the next one, though records are at hand', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  await log.appendBatch(['a', 'b', 'c'])
  const controller = new AbortController()
  const tail = log.tail({ from: 0, signal: controller.signal })
  await tail.next()
  controller.abort()
  expect(await errorOf(tail.next())).toBe(controller.signal.reason)
})

test('no listener stays on the signal while nothing waits', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const { signal } = new AbortController()
  const tail = log.tail({ signal })
  for (let n = 0; n < 3; n++) {
    const pull = tail.next()
    await log.append('a')
    await pull
    expect(getEventListeners(signal, 'abort')).toEqual([])
  }
})

test.each([false, true])('close ends a tail without an error (readOnly: %s)', async readOnly => {
  const writer = await openLog<string>(newPath(), { encoding: 'utf8' })
  const log = readOnly ? await openLog<string>(writer.location, { encoding: 'utf8', readOnly }) : writer
  const waiting = log.tail()
  const pull = waiting.next()
  const fresh = log.tail({ from: 5 })
  await tick()
  await log.close()
  expect(await pull).toEqual(DONE)
  expect(await waiting.next()).toEqual(DONE)
  expect(await fresh.next()).toEqual(DONE)
})

test('close ends a tail that is still looking where to begin', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8', readOnly: true })
  addon.refresh = () => {}
  const tail = log.tail()
  const pull = tail.next()
  const closing = log.close()
  await tick()
  addon.finishClose()
  await closing
  expect(await pull).toEqual(DONE)
  expect(await tail.next()).toEqual(DONE)
})

test('close in the middle of the backlog ends a tail without an error', async () => {
  const log = await openLog<Uint8Array>(newPath(), { compression: 'none' })
  await log.appendBatch(Array.from({ length: 100 }, () => Buffer.alloc(20_000, 'x')))
  let got = 0
  for await (const _ of log.tail({ from: 'start' })) {
    if (got++ === 0) await log.close()
  }
  expect(got).toBeGreaterThan(0)
  expect(got).toBeLessThan(100)
})

test('leaving a tail frees what it holds, also while a pull waits', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  addon.holds = []
  const tail = log.tail()
  const pull = tail.next()
  await tick()
  expect(addon.holds).toEqual([true])
  await tail.return!()
  expect(await pull).toEqual(DONE)
  expect(addon.holds).toEqual([true, false])
})

test('leaving a tail of a readOnly log stops the engine from looking', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8', readOnly: true })
  const tail = log.tail()
  const pull = tail.next()
  await tick()
  expect(addon.follows).toMatchObject([{ size: 0 }])
  await tail.return!()
  expect(addon.cancelled).toEqual([addon.follows[0]!.request])
  expect(await pull).toEqual(DONE)
  expect(addon.holds.at(-1)).toBe(false)
})

test('between two pulls nothing is asked for and nothing keeps the process alive', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8', readOnly: true })
  addon.records = ['a', 'b', 'c'].map(text => Buffer.from(text))
  const tail = log.tail()
  const first = tail.next()
  await tick()
  addon.grow(1)
  expect(await first).toMatchObject({ value: { offset: 0 } })
  await tick()
  expect([addon.follows.length, addon.reads.length, addon.holds.at(-1)]).toEqual([0, 1, false])
})

test('a slow consumer holds two chunks, however far the log has grown', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8', readOnly: true })
  const payload = Buffer.alloc(100_000, 'x')
  addon.records = Array.from({ length: 1_000 }, () => payload)
  const tail = log.tail({ from: 0 })
  const first = tail.next()
  await tick()
  addon.grow(1_000)
  await first
  for (let n = 0; n < 10; n++) await tick()
  expect(addon.reads.length).toBe(2)
  for (const { options } of addon.reads) expect(options.maxBytes).toBe(256 * 1024)
})

test('a log that fails ends its tails with VARVE_FAILED once everything durable was given', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const behind = log.tail()
  const waiting = log.tail()
  const pull = waiting.next()
  void log.append('a')
  log.append('b').catch(() => {})
  await tick()
  addon.sync(1)
  expect(await pull).toMatchObject({ value: { offset: 0 } })
  const second = waiting.next()
  await tick()
  addon.emit({ type: 'failed', log: 1, error: { code: 'VARVE_IO', message: 'no' } })
  const failed = { code: 'VARVE_FAILED', cause: { code: 'VARVE_IO' } }
  expect(await errorOf(second)).toMatchObject(failed)
  expect(await behind.next()).toMatchObject({ value: { offset: 0 } })
  expect(await errorOf(behind.next())).toMatchObject(failed)
})

test('what the engine meets while it follows reaches the consumer', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8', readOnly: true })
  const pull = log.tail().next()
  await tick()
  addon.fail(addon.follows[0]!.request, { code: 'VARVE_CORRUPT', message: 'damaged' })
  expect(await errorOf(pull)).toMatchObject({ code: 'VARVE_CORRUPT' })
})

test('a tail of a log that was closed before is VARVE_CLOSED', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  await log.close()
  expect(await errorOf(log.tail().next())).toMatchObject({ code: 'VARVE_CLOSED' })
})

test('a tail that nobody pulls says nothing', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  await log.close()
  log.tail()
  expect(await stateOf(Promise.resolve())).toBe('resolved')
})
