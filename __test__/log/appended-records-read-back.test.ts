import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { newPath, openLog, random } from '../support/temp.js'

test('bytes in, Buffers out: every length around the block sizes, in order, also after reopening', async () => {
  const dir = newPath()
  const seed = 7
  const pick = random(seed)
  const values = Array.from({ length: 300 }, (_, n) =>
    Buffer.from(Array.from({ length: n }, () => Math.floor(pick() * 256))),
  )
  values.push(
    Buffer.alloc(0),
    Buffer.alloc(100_000),
    Buffer.alloc(3_000_000, 1),
    Buffer.from([...'x'.repeat(70_000)].join('')),
  )
  const log = await openLog<Uint8Array, Buffer>(dir)
  const receipts = await Promise.all(values.map(value => log.append(value)))
  expect(receipts.map(({ offset }) => offset)).toEqual(values.map((_, n) => n))
  const check = async (opened: typeof log) => {
    const records = await opened.read().toArray()
    expect(records.length).toBe(values.length)
    for (const [n, { offset, value }] of records.entries()) {
      expect(offset).toBe(n)
      expect(Buffer.isBuffer(value)).toBe(true)
      expect(value.equals(values[n]!), `record ${n}`).toBe(true)
    }
  }
  await check(log)
  await log.close()
  const again = await openLog<Uint8Array, Buffer>(dir)
  expect(again.recovery).toBeUndefined()
  expect(again.head).toEqual(receipts.at(-1)!.head)
  await check(again)
})

test('records that look like parts of the format come back as they were', async () => {
  const dir = newPath()
  const { readFileSync } = await import('node:fs')
  const log = await openLog<Uint8Array, Buffer>(dir, { compression: 'none' })
  await log.append(Buffer.from('first'))
  const file = readFileSync(`${dir}/0000000001.seg`)
  const values = [file.subarray(0, 4096), file.subarray(4096, 8192), Buffer.alloc(70_000), Buffer.alloc(64)]
  for (const value of values) await log.append(value)
  await log.close()
  const again = await openLog<Uint8Array, Buffer>(dir)
  expect(again.recovery).toBeUndefined()
  const records = await again.read({ from: 1 }).toArray()
  expect(records.map(({ value }, n) => value.equals(values[n]!))).toEqual([true, true, true, true])
})

test('a value changed by the caller after append returned is stored as it was', async () => {
  const log = await openLog<Uint8Array, Buffer>(newPath())
  const pending: Promise<unknown>[] = []
  for (const size of [1, 100, 64 * 1024, 1 << 20]) {
    const value = Buffer.alloc(size, 1)
    pending.push(log.append(value), log.appendBatch([value, value]))
    value.fill(2)
  }
  await Promise.all(pending)
  for await (const { value } of log.read()) expect(value.every(byte => byte === 1)).toBe(true)
})

test('times never decrease and lie between the calls', async () => {
  const before = Date.now()
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  for (let n = 0; n < 50; n++) await log.append('x')
  const after = Date.now()
  let last = before - 1
  for await (const { time } of log.read()) {
    expect(Number.isInteger(time)).toBe(true)
    expect(time).toBeGreaterThanOrEqual(last)
    expect(time).toBeLessThanOrEqual(after)
    last = time
  }
})

test('a folder with letters outside ASCII and spaces just works, as path and as file URL', async () => {
  const dir = newPath('журнал — 記録 и пробелы/tief 🪵')
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  await log.append('x')
  expect(log.location).toBe(dir)
  await log.close()
  const again = await openLog<string>(pathToFileURL(dir), { encoding: 'utf8' })
  expect(again.head.size).toBe(1)
})

test('the head by size is what receipts said, whatever the batches', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const receipt = await log.appendBatch(['a', 'b', 'c'])
  expect(receipt).toMatchObject({ offset: 0, count: 3, head: { size: 3 } })
  expect(receipt.head.id).toMatch(/^[0-9a-f]{64}$/)
  expect(receipt.head.hash).toMatch(/^[0-9a-f]{64}$/)
  expect(log.head).toEqual(receipt.head)
  expect(await log.flush()).toEqual(receipt.head)
  expect((await log.verify({ expectHead: receipt.head })).ok).toBe(true)
})
