import { expect, test } from 'vitest'
import { Child } from '../support/child.js'
import { newPath, openLog } from '../support/temp.js'

const accepted = ['acknowledged', ...Array.from({ length: 100 }, (_, n) => `accepted ${n}`)]

test.each([
  ['exit', 7],
  ['exit-after-tick', 7],
  ['exit-in-receipt', 7],
  ['throw', 1],
  ['reject', 1],
  ['end', 0],
  ['idle', 0],
])('%s: ends with code %i, everything accepted is there, the log is clean and free', async (mode, code) => {
  const dir = newPath()
  const ended = await new Child('exit.mjs', [dir, mode]).ended
  expect(ended, ended.stderr).toMatchObject({ code, signal: null })
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  expect(log.recovery).toBeUndefined()
  expect((await log.read().toArray()).map(({ value }) => value)).toEqual(accepted)
})

test('flushSync in an exit listener keeps what was appended there', async () => {
  const dir = newPath()
  const ended = await new Child('exit.mjs', [dir, 'flush-sync']).ended
  expect(ended, ended.stderr).toMatchObject({ code: 7 })
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  expect((await log.read().toArray()).map(({ value }) => value)).toEqual([...accepted, 'in the exit listener'])
})

test.each(['sigterm-close', 'sigterm-exit'])('%s: SIGTERM with a handler loses nothing', async mode => {
  const dir = newPath()
  const child = new Child('exit.mjs', [dir, mode])
  expect(await child.line()).toBe('ready')
  child.kill('SIGTERM')
  const ended = await child.ended
  expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null })
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  expect(log.recovery).toBeUndefined()
  expect((await log.read().toArray()).map(({ value }) => value)).toEqual(accepted)
})

test('SIGTERM without a handler ends the process at once; what was acknowledged is there, in order, and the lock is free', async () => {
  const dir = newPath()
  const child = new Child('exit.mjs', [dir, 'sigterm'])
  expect(await child.line()).toBe('ready')
  child.kill('SIGTERM')
  expect(await child.ended).toMatchObject({ code: null, signal: 'SIGTERM' })
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  const values = (await log.read().toArray()).map(({ value }) => value)
  expect(values.length).toBeGreaterThanOrEqual(1)
  expect(values).toEqual(accepted.slice(0, values.length))
})
