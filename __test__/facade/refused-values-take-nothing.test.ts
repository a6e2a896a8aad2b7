import { expect, test } from 'vitest'
import { errorOf, openFake, tick } from '../support/fake-log.js'

test.each([0, 1, 2])('a batch whose value %i cannot be encoded takes nothing and names the value', async bad => {
  const { addon, log } = await openFake<any>({ encoding: 'json' })
  const before = log.append('before')
  const values: unknown[] = ['a', 'b', 'c']
  values[bad] = undefined
  const error = await errorOf(log.appendBatch(values))
  expect(error).toBeInstanceOf(TypeError)
  expect(error).toMatchObject({ code: 'VARVE_INVALID', message: expect.stringContaining(`values[${bad}]`) })
  const after = log.append('after')
  await tick()
  expect(addon.records.map(String)).toEqual(['"before"', '"after"'])
  addon.sync()
  expect((await Promise.all([before, after])).map(receipt => receipt.offset)).toEqual([0, 1])
})

test('a refused value in a batch that outgrew the staging takes nothing either', async () => {
  const { addon, log } = await openFake<any>({ encoding: 'utf8' })
  void log.append('before')
  const values: unknown[] = new Array(2_000).fill('x'.repeat(1_000))
  values.push(5)
  expect((await errorOf(log.appendBatch(values))).message).toMatch(/values\[2000\].*5/)
  void log.append('after')
  await tick()
  expect(addon.records.map(String)).toEqual(['before', 'after'])
})

test('an empty batch and a batch that is no array are TypeErrors', async () => {
  const { log } = await openFake<any>()
  for (const values of [[], 'abc', undefined, { length: 1 }]) {
    const error = await errorOf(log.appendBatch(values as any))
    expect(error).toBeInstanceOf(TypeError)
    expect(error.code).toBe('VARVE_INVALID')
  }
})

test('a payload over maxRecordBytes is a RangeError that names both lengths', async () => {
  const { addon, log } = await openFake<any>({ encoding: 'utf8', maxRecordBytes: 100 })
  for (const call of [
    log.append('x'.repeat(101)),
    log.append('€'.repeat(34)),
    log.appendBatch(['fine', 'x'.repeat(101)]),
  ]) {
    const error = await errorOf(call)
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({
      code: 'VARVE_INVALID',
      message: expect.stringMatching(/maxRecordBytes = 100.*10[12]/),
    })
  }
  void log.append('€'.repeat(33))
  await tick()
  expect(addon.records.map(record => record.length)).toEqual([99])
})

test('a large Buffer over maxRecordBytes is refused as well', async () => {
  const { log } = await openFake({ maxRecordBytes: 100_000 })
  expect(await errorOf(log.append(Buffer.alloc(100_001)))).toBeInstanceOf(RangeError)
})

test('append from inside an encoder cannot tear the batch that is being encoded', async () => {
  const inner: Promise<any>[] = []
  const { addon, log } = await openFake<any>({ encoding: 'json' })
  const sneaky = {
    toJSON() {
      inner.push(errorOf(log.append('inner')), errorOf(log.appendBatch(['inner'])))
      return 'sneaky'
    },
  }
  void log.append('before')
  void log.appendBatch(['a', sneaky, 'c'])
  await tick()
  expect(addon.records.map(String)).toEqual(['"before"', '"a"', '"sneaky"', '"c"'])
  expect(addon.submissions.flatMap(({ batches }) => batches)).toEqual([1, 3])
  for (const error of await Promise.all(inner)) expect(error).toMatchObject({ code: 'VARVE_INVALID' })
})
