import { expect, test } from 'vitest'
import { openFake, stateOf, tick } from '../support/fake-log.js'

test('an append resolves when all of its records are below the watermark, and not before', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const first = log.append('a')
  const batch = log.appendBatch(['b', 'c', 'd'])
  await tick()
  expect(await stateOf(first)).toBe('pending')
  addon.sync(3)
  expect(await stateOf(first)).toBe('resolved')
  expect(await stateOf(batch)).toBe('pending')
  addon.sync(4)
  expect(await batch).toMatchObject({ offset: 1, count: 3 })
})

test('receipts of one group share one head, a plain object made when read', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const pending = [log.append('a'), log.append('b')]
  await tick()
  addon.sync()
  const [a, b] = (await Promise.all(pending)) as [any, any]
  expect(a.head).toBe(b.head)
  expect(a.head).toBe(log.head)
  expect({ ...a.head }).toEqual({ id: 'ab'.repeat(32), size: 2, hash: expect.stringMatching(/^[0-9a-f]{64}$/) })
  expect(structuredClone(a.head)).toEqual(a.head)
  expect(JSON.parse(JSON.stringify(b))).toEqual({ offset: 1, count: 1, head: { ...a.head } })
})

test('pendingBytes counts payload + 256 a record until durable', async () => {
  const { addon, log } = await openFake()
  void log.append(Buffer.alloc(100))
  void log.appendBatch([Buffer.alloc(1), Buffer.alloc(2)])
  expect(log.pendingBytes).toBe(103 + 3 * 256)
  await tick()
  addon.sync(1)
  expect(log.pendingBytes).toBe(3 + 2 * 256)
  addon.sync()
  expect(log.pendingBytes).toBe(0)
})

test('where the addon had no memory for events, the facade looks again in the next turn, as it had promised', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const many = Array.from({ length: 64 }, () => log.append('many'))
  await tick()
  addon.sync()
  await Promise.all(many)
  const append = log.append('one more')
  await tick()
  addon.drainError = new Error('no memory')
  expect(() => addon.sync()).toThrow('no memory')
  expect((await append).offset).toBe(64)
})
