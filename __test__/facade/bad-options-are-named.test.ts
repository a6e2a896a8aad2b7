import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { openWith } from '../../lib/open.js'
import { FakeBinding } from '../support/fake-binding.js'
import { errorOf, openFake } from '../support/fake-log.js'

/** Where an offset is wanted and a time was given. */
const DATE =
  /^(from|to|offset) must be .*, got an instance of Date; await log\.offsetAt\(date\) gives the offset of a time$/
const head = { id: 'a'.repeat(64), size: 1, hash: 'b'.repeat(64) }

test.each<[any, 'TypeError' | 'RangeError', RegExp]>([
  [{ segmentbytes: 1 }, 'TypeError', /unknown option "segmentbytes"/],
  [{ segmentBytes: 12 }, 'RangeError', /^segmentBytes must be .*65536.*, got 12$/],
  [{ segmentBytes: '64k' }, 'TypeError', /^segmentBytes .*got "64k"$/],
  [{ segmentBytes: 2 ** 37 }, 'RangeError', /^segmentBytes /],
  [{ maxRecordBytes: -1 }, 'RangeError', /^maxRecordBytes .*got -1$/],
  [{ maxRecordBytes: 2 ** 31 }, 'RangeError', /^maxRecordBytes /],
  [{ maxPendingBytes: 0 }, 'RangeError', /^maxPendingBytes /],
  [{ cacheBytes: 1.5 }, 'RangeError', /^cacheBytes .*got 1.5$/],
  [{ lockTimeout: Number.NaN }, 'RangeError', /^lockTimeout .*got NaN$/],
  [{ lockTimeout: -1 }, 'RangeError', /^lockTimeout /],
  [{ compression: 'zstd' }, 'TypeError', /^compression must be 'lz4' or 'none', got "zstd"$/],
  [{ durability: true }, 'TypeError', /^durability .*got true$/],
  [{ readOnly: 1 }, 'TypeError', /^readOnly must be true or false, got 1$/],
  [{ createIfMissing: null }, 'TypeError', /^createIfMissing .*got null$/],
  [{ errorIfExists: 'no' }, 'TypeError', /^errorIfExists /],
  [{ errorIfExists: true, readOnly: true }, 'TypeError', /errorIfExists and readOnly/],
  [{ encoding: 'hex' }, 'TypeError', /^encoding .*got "hex"$/],
  [{ secret: Buffer.alloc(31) }, 'RangeError', /^secret .*got 31$/],
  [{ secret: Buffer.alloc(1025) }, 'RangeError', /^secret .*got 1025$/],
  [{ expectHead: 'abc' }, 'TypeError', /^expectHead .*got "abc"$/],
  [{ expectHead: { ...head, id: 'xyz' } }, 'TypeError', /^expectHead.id .*got "xyz"$/],
  [{ expectHead: { ...head, size: -1 } }, 'RangeError', /^expectHead.size .*got -1$/],
  [{ expectHead: { ...head, hash: undefined } }, 'TypeError', /^expectHead.hash .*got undefined$/],
  [null, 'TypeError', /^options must be an object, got null$/],
  [[], 'TypeError', /^options must be an object/],
])('open refuses %o', async (options, name, message) => {
  const addon = new FakeBinding()
  const error = await errorOf(openWith(() => addon, '/nowhere', options))
  expect(error).toMatchObject({ name, code: 'VARVE_INVALID', message: expect.stringMatching(message) })
  expect(addon.opens).toHaveLength(0)
})

test.each([undefined, null, '', 5, 'a\0b', new URL('https://example.org/log')])(
  'open refuses %o as folder',
  async dir => {
    const error = await errorOf(openWith(() => new FakeBinding(), dir, {}))
    expect(error).toMatchObject({
      name: 'TypeError',
      code: 'VARVE_INVALID',
      message: expect.stringMatching(/^dir must be/),
    })
  },
)

test('what a secret is appears in no message', async () => {
  const error = await errorOf(
    openWith(() => new FakeBinding(), '/nowhere', { secret: 'hunter2 hunter2 hunter2 hunter2' }),
  )
  expect(error).toMatchObject({ name: 'TypeError', code: 'VARVE_INVALID' })
  expect(error.message).not.toMatch(/hunter2/)
  const { privateKey } = generateKeyPairSync('ed25519')
  expect((await errorOf(openWith(() => new FakeBinding(), '/nowhere', { secret: privateKey }))).message).toMatch(
    /secret/,
  )
})

test('defaults reach the addon, a folder becomes absolute, a KeyObject its bytes, a head lower case', async () => {
  const plain = await openFake()
  expect(plain.addon.opens[0]).toMatchObject({
    dir: '/nowhere',
    options: {
      encoding: 'buffer',
      compression: 'lz4',
      durability: 'disk',
      segmentBytes: 256 << 20,
      maxRecordBytes: 16 << 20,
      cacheBytes: 8 << 20,
      secret: undefined,
      expectHead: undefined,
      lockTimeout: 0,
      createIfMissing: true,
      errorIfExists: false,
      readOnly: false,
    },
  })
  const secret = Buffer.alloc(32, 1)
  const keyed = await openFake({
    secret: createSecretKey(secret),
    expectHead: { ...head, id: 'A'.repeat(64) },
    readOnly: true,
  })
  const { options } = keyed.addon.opens[0]!
  expect(Buffer.from(options.secret!).equals(secret)).toBe(true)
  expect(options.expectHead).toEqual(head)
  expect(options.createIfMissing).toBe(false)

  const addon = new FakeBinding()
  void openWith(() => addon, 'some/where', undefined)
  void openWith(() => addon, new URL('file:///tmp/with%20space'), undefined)
  expect(addon.opens.map(({ dir }) => dir)).toEqual([`${process.cwd()}/some/where`, '/tmp/with space'])
})

test.each<[string, (log: any) => Promise<unknown>, RegExp]>([
  ['append', log => log.append(Buffer.alloc(1), { expected: 1 }), /unknown option "expected"/],
  ['append', log => log.append(Buffer.alloc(1), 5), /options must be an object, got 5/],
  ['appendBatch', log => log.appendBatch([Buffer.alloc(1)], { expected: 1 }), /unknown option "expected"/],
  ['appendAll', log => log.appendAll([], { batch: 1 }), /unknown option "batch"/],
  ['appendAll', log => log.appendAll([], { onProgress: 1 }), /onProgress must be a function/],
  ['appendAll', log => log.appendAll('text'), /source must be an iterable.*"text"/],
  ['appendAll', log => log.appendAll(5), /source must be an iterable.*5/],
  ['appendAll', log => log.appendAll({}), /source must be an iterable/],
  ['drained', log => log.drained({ signal: 5 }), /signal must be an AbortSignal, got 5/],
  ['verify', log => log.verify({ secret: Buffer.alloc(32) }), /unknown option "secret"/],
  ['verify', log => log.verify({ from: -1 }), /from must be.*got -1/],
  ['get', log => log.get(-1), /offset must be.*got -1/],
  ['get', log => log.get(1.5), /offset must be.*got 1.5/],
  ['get', log => log.get(Number.NaN), /offset must be.*got NaN/],
  ['get', log => log.get(2 ** 53), /offset must be.*got 9007199254740992/],
  ['get', log => log.get('0'), /offset must be.*got "0"/],
  ['offsetAt', log => log.offsetAt('now'), /ms must be.*got "now"/],
  ['offsetAt', log => log.offsetAt(new Date(Number.NaN)), /ms must be/],
  ['read', async log => log.read({ from: -1 }), /from must be.*got -1/],
  ['read', async log => log.read({ to: 1.5 }), /to must be.*got 1.5/],
  ['read', async log => log.read({ limit: -1 }), /limit must be.*got -1/],
  ['read', async log => log.read({ reverse: 1 }), /reverse must be.*got 1/],
  ['read', async log => log.read({ chunkBytes: 0 }), /chunkBytes must be.*got 0/],
  ['read', async log => log.read({ start: 0 }), /unknown option "start"/],
  ['read', async log => log.read({ from: new Date() }), DATE],
  ['read', async log => log.read({ to: new Date() }), DATE],
  ['tail', async log => log.tail({ from: new Date() }), DATE],
  ['tail', async log => log.tail({ from: 'now' }), /^from must be an offset, 'start' or 'end', got "now"$/],
  ['get', log => log.get(new Date()), DATE],
  ['verify', log => log.verify({ from: new Date() }), DATE],
])('%s refuses bad arguments and the log goes on working (%#)', async (_, call, message) => {
  const { addon, log } = await openFake()
  const error = await errorOf(call(log))
  expect(error).toMatchObject({ code: 'VARVE_INVALID', message: expect.stringMatching(message) })
  expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
  const append = log.append(Buffer.from('fine'))
  await new Promise(setImmediate)
  addon.sync()
  expect((await append).offset).toBe(0)
})
