import { openMemory } from 'varve'
import { expect, test } from 'vitest'
import { newPath, openLog } from '../support/temp.js'

test('stats count records, groups and bytes', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  await log.appendBatch(['four', 'more'])
  await log.append('5 bytes')
  const stats = log.stats()
  expect(stats).toMatchObject({ records: 3, payloadBytes: 15, pendingBytes: 0, pendingRecords: 0 })
  expect(stats.groups).toBe(2)
  expect(stats.storedBytes).toBeGreaterThan(0)
})

test('groupRecords tells how many records shared a sync', async () => {
  const log = await openMemory({ encoding: 'utf8' })
  for (const count of [1, 1, 3, 8]) await log.appendBatch(new Array<string>(count).fill('x'))
  const { groups, groupRecords } = log.stats()
  expect(groups).toBe(4)
  expect(groupRecords).toMatchObject({ count: 4, sum: 13, p50: 1, p99: 8, max: 8 })
  expect(groupRecords.buckets.slice(0, 6)).toEqual([
    { le: 0, count: 0 },
    { le: 1, count: 2 },
    { le: 3, count: 3 },
    { le: 7, count: 3 },
    { le: 15, count: 4 },
    { le: 31, count: 4 },
  ])
  await log.close()
})

test('syncMicros counts each sync once, in buckets that grow up to all of them', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  for (let index = 0; index < 5; index++) await log.append('x')
  const { count, sum, p50, p99, max, buckets } = log.stats().syncMicros
  expect(count).toBe(5)
  expect(p50).toBeLessThanOrEqual(p99)
  expect(p99).toBeLessThanOrEqual(max)
  expect(sum).toBeGreaterThanOrEqual(max)
  const counts = buckets.map(bucket => bucket.count)
  expect(counts).toEqual(counts.toSorted((a, b) => a - b))
  expect(buckets.filter(({ le }) => le >= max).every(bucket => bucket.count === 5)).toBe(true)
})

test("with durability 'os' groups are counted and syncs are not made", async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8', durability: 'os' })
  await log.append('x')
  await log.append('y')
  expect(log.stats()).toMatchObject({ groups: 2, syncMicros: { count: 0, max: 0 } })
  await log.flush()
  expect(log.stats().syncMicros.count).toBe(1)
})
