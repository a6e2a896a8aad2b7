import { channel } from 'node:diagnostics_channel'
import { afterEach, expect, test } from 'vitest'
import { openWith } from '../../lib/open.js'
import type { DiagnosticsMessages, Log } from '../../lib/types.js'
import { FakeBinding } from '../support/fake-binding.js'
import { openFake, stateOf, tick } from '../support/fake-log.js'

const names = ['varve:open', 'varve:group', 'varve:failed', 'varve:close'] as const
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** Messages of one log, in order. */
function watch(location: string) {
  const seen: { name: string; message: any }[] = []
  for (const name of names) {
    const listener = (message: unknown) => {
      const { log } = message as DiagnosticsMessages[typeof name]
      if (log.location === location) seen.push({ name, message })
    }
    channel(name).subscribe(listener)
    stops.push(() => channel(name).unsubscribe(listener))
  }
  return seen
}

test('a log tells when it is opened, when records are durable and when it is closed', async () => {
  const seen = watch('/nowhere')
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  void log.append('a')
  void log.appendBatch(['b', 'c', 'd'])
  await tick()
  addon.sync(1)
  addon.sync(4)
  const closing = log.close()
  addon.finishClose()
  await closing
  expect(seen).toEqual([
    { name: 'varve:open', message: { log } },
    { name: 'varve:group', message: { log, records: 1 } },
    { name: 'varve:group', message: { log, records: 3 } },
    { name: 'varve:close', message: { log } },
  ])
})

test('a log that stops publishes its failure once, and closing publishes the error that close rejects with', async () => {
  const seen = watch('/nowhere')
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const lost = log.append('a').catch(() => {})
  await tick()
  addon.emit({ type: 'failed', log: 1, error: { code: 'VARVE_IO', message: 'the disk is gone' } })
  await lost
  const closing = log.close()
  addon.finishClose()
  const error = await closing.catch((error: Error) => error)
  expect(seen.map(({ name }) => name)).toEqual(['varve:open', 'varve:failed', 'varve:close'])
  expect(seen[1]!.message.error).toBe(log.failure)
  expect(seen[2]!.message.error).toBe(error)
})

test('a subscriber can ask the log for its stats', async () => {
  let pending: number | undefined
  const listener = (message: unknown) => {
    const { log } = message as { log: Log<unknown> }
    pending = log.stats().pendingRecords
  }
  channel('varve:group').subscribe(listener)
  stops.push(() => channel('varve:group').unsubscribe(listener))
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  void log.appendBatch(['a', 'b', 'c'])
  void log.append('d')
  await tick()
  addon.sync(3)
  expect(pending).toBe(1)
})

test('a subscriber may run the event loop, and still every log hears what became durable', async () => {
  const { addon, log: first } = await openFake<string>({ encoding: 'utf8' })
  const others: Log<string, string>[] = []
  for (const handle of [2, 3]) {
    const opening = openWith(() => addon, `/other${handle}`, { encoding: 'utf8' })
    addon.answerOpen({ log: handle })
    others.push((await opening) as Log<string, string>)
  }
  const [second, third] = others as [Log<string, string>, Log<string, string>]
  const appends = [first.appendBatch(['a', 'b']), second.append('c'), third.append('d')]
  await tick()
  const turnOfTheLoop = () => {
    channel('varve:group').unsubscribe(turnOfTheLoop)
    addon.together(() => {
      addon.sync(2, 1)
      addon.sync(1, 3)
    })
  }
  channel('varve:group').subscribe(turnOfTheLoop)
  addon.together(() => {
    addon.sync(1, 1)
    addon.sync(1, 2)
  })
  expect(await Promise.all(appends.map(stateOf))).toEqual(['resolved', 'resolved', 'resolved'])
  expect([first, second, third].map(log => log.head.size)).toEqual([2, 1, 1])
})

test('nothing durable, nothing published', async () => {
  const seen = watch('/nowhere')
  const { addon } = await openFake<string>({ encoding: 'utf8' }, new FakeBinding())
  addon.sync(0)
  expect(seen.map(({ name }) => name)).toEqual(['varve:open'])
})
