import { expect, test } from 'vitest'
import { errorOf, openFake, tick } from '../support/fake-log.js'

test('expectedOffset is compared with the accepted end, and a conflict takes nothing', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const first = log.append('a', { expectedOffset: 0 })
  const batch = log.appendBatch(['b', 'c'], { expectedOffset: 1 })
  const error = await errorOf(log.append('late', { expectedOffset: 1 }))
  expect(error).toMatchObject({ code: 'VARVE_OFFSET_CONFLICT', expected: 1, found: 3, offset: 3, outcome: 'none' })
  expect(error.message).toMatch(/1.*3/)
  const last = log.append('d', { expectedOffset: 3 })
  await tick()
  expect(addon.records.map(String)).toEqual(['a', 'b', 'c', 'd'])
  addon.sync()
  expect((await Promise.all([first, batch, last])).map(receipt => receipt.offset)).toEqual([0, 1, 3])
})

test.each([-1, 1.5, Number.NaN, 2 ** 53, Infinity])('expectedOffset %s is a RangeError', async expectedOffset => {
  const { log } = await openFake<string>({ encoding: 'utf8' })
  const error = await errorOf(log.append('a', { expectedOffset }))
  expect(error).toBeInstanceOf(RangeError)
  expect(error).toMatchObject({ code: 'VARVE_INVALID', message: expect.stringContaining(`expectedOffset`) })
})
