/**
 * Logs of a thread lend each other the room in which they stage (lib/staging.ts), and an encoder may call any log while a
 * batch of its own is half encoded. Whatever they do, each record arrives once, in its own log, at its own offset.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FakeBinding } from '../support/fake-binding.js'
import { openFake, tick } from '../support/fake-log.js'

/** A text, and what its encoder does before it is encoded. */
interface Value {
  text: string
  does?: { what: 'append' | 'flush' | 'fail'; log: number } | undefined
}

const LOGS = 3
const log = fc.nat(LOGS - 1)
const text = fc
  .tuple(fc.constantFrom('a', 'é', '漢', '😀'), fc.constantFrom(0, 1, 1, 1, 9, 700, 20_000, 90_000), fc.nat(9))
  .map(([unit, times, digit]) => unit.repeat(times) + digit)
const does = fc.record({ what: fc.constantFrom('append' as const, 'flush' as const, 'fail' as const), log })
const value: fc.Arbitrary<Value> = fc.record({ text, does: fc.option(does, { nil: undefined, freq: 3 }) })
const values: fc.Arbitrary<Value[]> = fc.oneof(
  { arbitrary: fc.array(value, { minLength: 1, maxLength: 8 }), weight: 9 },
  { arbitrary: fc.nat(6_000).map(count => Array.from({ length: count + 1 }, (_, n) => ({ text: `${n}` }))), weight: 1 },
)
const step = fc.oneof(
  fc.record({ log, values, batch: fc.boolean() }),
  fc.constantFrom('tick' as const, 'sync' as const),
)

async function check(steps: (typeof step extends fc.Arbitrary<infer Step> ? Step : never)[]) {
  const logs: { addon: FakeBinding; log: any; taken: number }[] = []
  const outcomes: Promise<void>[] = []
  const wrong: unknown[] = []
  const expectIn = (at: number, appended: Promise<any>, texts: string[]) => {
    const { addon } = logs[at]!
    const taken = ({ offset, count }: { offset: number; count: number }) => {
      expect(count).toBe(texts.length)
      const found = addon.records.slice(offset, offset + count).map(String)
      expect(found.every((record, index) => record === texts[index])).toBe(true)
      logs[at]!.taken += count
    }
    const refused = (error: Error) => expect(error.message).toMatch(/planted$|must not be called by what encodes/)
    outcomes.push(appended.then(taken, refused).catch(error => void wrong.push(error)))
  }
  const encode = ({ text, does }: Value) => {
    if (does?.what === 'fail') throw new Error('planted')
    if (does?.what === 'append') expectIn(does.log, logs[does.log]!.log.append({ text: 'nested' }), ['nested'])
    if (does?.what === 'flush') void logs[does.log]!.log.flush()
    return text
  }
  for (let n = 0; n < LOGS; n++) {
    const encoding = { name: 'own', format: 'utf8' as const, encode, decode: (stored: string) => ({ text: stored }) }
    logs.push({ ...(await openFake<Value>({ encoding })), taken: 0 })
  }
  for (const step of steps) {
    if (step === 'tick') await tick()
    else if (step === 'sync') for (const { addon } of logs) addon.sync()
    else if (step.batch) {
      const texts = step.values.map(({ text }) => text)
      expectIn(step.log, logs[step.log]!.log.appendBatch(step.values), texts)
    } else for (const one of step.values) expectIn(step.log, logs[step.log]!.log.append(one), [one.text])
  }
  await tick()
  for (const { addon } of logs) addon.sync()
  await Promise.all(outcomes)
  expect(wrong).toEqual([])
  for (const { addon, log, taken } of logs) {
    expect([addon.records.length, log.head.size, log.pendingBytes]).toEqual([taken, taken, 0])
  }
}

test('whatever encoders do with logs, each record arrives once, in its own log and at its offset', async () => {
  const runs = fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), check)
  await fc.assert(runs, {
    seed: Number(process.env.VARVE_SEED ?? 20261125),
    numRuns: Number(process.env.VARVE_RUNS ?? 40),
  })
})
