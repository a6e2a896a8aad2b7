import { expect, test } from 'vitest'
import { openFake, tick } from '../support/fake-log.js'

test('what does not fit into the staging crosses before the tick ends, nothing twice, nothing out of order', async () => {
  const { addon, log } = await openFake()
  const values = Array.from({ length: 1_000 }, (_, n) => Buffer.alloc(1_000, n))
  const receipts = values.map(value => log.append(value))
  expect(addon.submissions.length).toBeGreaterThan(1)
  await tick()
  expect(Buffer.concat(addon.records).equals(Buffer.concat(values))).toBe(true)
  addon.sync()
  expect((await Promise.all(receipts)).at(-1)).toMatchObject({ offset: 999, count: 1 })
})

test('many empty records cross before the tick ends, too', async () => {
  const { addon, log } = await openFake()
  const receipts = Array.from({ length: 10_000 }, () => log.append(new Uint8Array(0)))
  expect(addon.submissions.length).toBeGreaterThan(1)
  await tick()
  expect(addon.submitted).toBe(10_000)
  addon.sync()
  expect((await Promise.all(receipts)).map(r => r.offset)).toEqual(Array.from({ length: 10_000 }, (_, n) => n))
})

test('a large value crosses alone and before append returns, after what was staged', async () => {
  const { addon, log } = await openFake()
  const large = Buffer.alloc(1 << 20, 7)
  void log.append(Buffer.from('before'))
  void log.append(large)
  large.fill(0)
  void log.append(Buffer.from('after'))
  await tick()
  expect(addon.submissions.map(({ batches }) => batches)).toEqual([[1], [1], [1]])
  expect(addon.records.map(record => record.length)).toEqual([6, 1 << 20, 5])
  expect(addon.records[1]!.every(byte => byte === 7)).toBe(true)
})

test.each([10, 300_000, 2_000_000])('a text of %i characters of three bytes each arrives whole', async length => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const text = '€'.repeat(length)
  void log.append('x')
  void log.append(text)
  await tick()
  expect(addon.records[1]!.toString() === text).toBe(true)
})

test('a batch larger than the staging stays one batch; what was staged crosses before it', async () => {
  const { addon, log } = await openFake()
  void log.append(Buffer.from('before'))
  const values = Array.from({ length: 40_000 }, (_, n) => Buffer.from(`value ${n} ${'.'.repeat(n % 300)}`))
  const receipt = log.appendBatch(values)
  void log.append(Buffer.from('after'))
  await tick()
  expect(addon.submissions.flatMap(({ batches }) => batches)).toEqual([1, 40_000, 1])
  expect(Buffer.concat(addon.records.slice(1, -1)).equals(Buffer.concat(values))).toBe(true)
  addon.sync()
  expect(await receipt).toMatchObject({ offset: 1, count: 40_000 })
})

test('what many logs stage in one tick arrives whole, each in its own', async () => {
  const logs = await Promise.all(Array.from({ length: 12 }, () => openFake()))
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 60; n++) {
      // Some stay small, some outgrow their own room; they take turns, so that rooms are lent and come back in between.
      for (const [index, { log }] of logs.entries()) void log.append(Buffer.alloc(index * 120 + round, index))
    }
    await tick()
  }
  for (const [index, { addon }] of logs.entries()) {
    expect(addon.records.map(record => record.length)).toEqual(
      [0, 1, 2].flatMap(round => new Array(60).fill(index * 120 + round)),
    )
    expect(addon.records.every(record => record.every(byte => byte === index))).toBe(true)
  }
})

test('a log that saw a few small records keeps a few kilobytes', async () => {
  const logs = await Promise.all(Array.from({ length: 200 }, () => openFake()))
  const before = process.memoryUsage().arrayBuffers
  for (const { log } of logs) for (let n = 0; n < 4; n++) void log.append(Buffer.alloc(256))
  await tick()
  expect((process.memoryUsage().arrayBuffers - before) / logs.length).toBeLessThan(16 * 1024)
})
