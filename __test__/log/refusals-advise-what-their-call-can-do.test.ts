import { expect, test } from 'vitest'
import { inspect, open, planRecovery, salvage, verify } from '../../lib/index.js'
import { newPath, openLog } from '../support/temp.js'

/** The message of a call that must fail. */
async function messageOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => new Error('it did not fail'),
    (error: Error) => error,
  )
  return error.message
}

test('where there is no log, open tells which option kept it from making one, and other calls speak of no option', async () => {
  const dir = newPath()
  const none = `there is no log in ${dir}; check the path`
  expect(await messageOf(open(dir, { readOnly: true }))).toBe(`${none}, or open it without readOnly to create one`)
  const withoutCreating = `${none}, or open it without createIfMissing: false to create one`
  expect(await messageOf(open(dir, { createIfMissing: false }))).toBe(withoutCreating)
  for (const call of [verify(dir), inspect(dir), planRecovery(dir), salvage(dir, newPath())]) {
    expect(await messageOf(call)).toBe(none)
  }
})

test('where a writer has the log, open offers to wait or to read, and other calls what they have', async () => {
  const dir = newPath()
  const log = await openLog(dir)
  const taken = `the log in ${dir} is open for writing in this process (pid ${process.pid}); close it there`
  expect(await messageOf(open(dir))).toBe(`${taken}, wait with lockTimeout, or open with readOnly`)
  const calls = [() => planRecovery(dir), () => salvage(dir, newPath())]
  for (const call of calls) expect(await messageOf(call())).toBe(taken)
  await log.close()
})
