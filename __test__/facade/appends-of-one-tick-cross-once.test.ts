import { expect, test } from 'vitest'
import { openFake, tick } from '../support/fake-log.js'

test('500 appends of one tick are one submit, in order, a batch each', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const receipts = Array.from({ length: 500 }, (_, n) => log.append(`record ${n}`))
  expect(addon.submissions).toHaveLength(0)
  await tick()
  expect(addon.submissions).toHaveLength(1)
  const [{ payloads, batches }] = addon.submissions as [(typeof addon.submissions)[0]]
  expect(payloads.map(String)).toEqual(Array.from({ length: 500 }, (_, n) => `record ${n}`))
  expect(batches).toEqual(new Array(500).fill(1))
  addon.sync()
  const offsets = (await Promise.all(receipts)).map(receipt => receipt.offset)
  expect(offsets).toEqual(Array.from({ length: 500 }, (_, n) => n))
})

test('writers that continue from one watermark cross together again', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const writer = async () => {
    for (let n = 0; n < 3; n++) await log.append('x')
  }
  const all = Promise.all(Array.from({ length: 100 }, writer))
  for (let n = 0; n < 3; n++) {
    await tick()
    addon.sync()
  }
  await all
  expect(addon.submissions.map(({ batches }) => batches.length)).toEqual([100, 100, 100])
})
