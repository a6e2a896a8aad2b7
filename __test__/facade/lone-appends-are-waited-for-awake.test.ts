import { expect, test } from 'vitest'
import { WaitAwake } from '../../lib/wait-awake.js'
import { openFake, stateOf, tick } from '../support/fake-log.js'

test('only a lone append that follows a quick answer at once is waited for awake', () => {
  const waitAwake = new WaitAwake()
  expect(waitAwake.asked(1)).toBe(false) // nothing is known yet
  expect(waitAwake.isOn(1)).toBe(false)
  waitAwake.answered(1.1)
  expect(waitAwake.asked(1.15)).toBe(true)
  expect(waitAwake.isOn(1.34)).toBe(true)
  expect(waitAwake.isOn(1.36)).toBe(false) // it takes longer than it pays
  waitAwake.answered(1.5)
  expect(waitAwake.asked(1.51)).toBe(false) // the last answer was slow
  waitAwake.answered(1.6)
  expect(waitAwake.asked(2)).toBe(false) // appends are rare
  waitAwake.answered(2.1)
  expect(waitAwake.asked(2.11)).toBe(true)
  waitAwake.answered(2.2)
  expect(waitAwake.isOn(2.2)).toBe(false)
})

test('while the facade looks by itself it needs no call, and afterwards it is called again', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const many = Array.from({ length: 64 }, () => log.append('x'))
  await tick()
  addon.sync()
  await Promise.all(many)
  const next = log.append('y')
  await tick()
  // The 64 records make it look in the next turns, until it finds nothing.
  for (let turn = 0; addon.facadeLooks; turn++) {
    expect(turn).toBeLessThan(1_000)
    await tick()
  }
  expect(await stateOf(next)).toBe('pending')
  addon.sync()
  expect(await stateOf(next)).toBe('resolved')
})

test('what becomes durable while the facade looks by itself is found', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  for (let round = 0; round < 3; round++) {
    const many = Array.from({ length: 64 }, () => log.append('x'))
    await tick()
    addon.sync()
    await Promise.all(many)
  }
  const next = log.append('y')
  log.append('z')
  await new Promise(process.nextTick)
  addon.sync()
  await tick()
  expect(await stateOf(next)).toBe('resolved')
})
