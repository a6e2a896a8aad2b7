import vm from 'node:vm'
import { expect, test } from 'vitest'
import { codecOf } from '../../lib/encoding.js'

const error = (encoding: unknown, value: unknown): any => {
  try {
    codecOf(encoding).encode(value, -1)
  } catch (thrown) {
    return thrown
  }
  throw new Error('nothing was thrown')
}

test.each(['text', 5, null, undefined, {}, [1, 2], new Uint16Array(2), new ArrayBuffer(2)])(
  'buffer refuses %o',
  value => {
    expect(error('buffer', value)).toBeInstanceOf(TypeError)
    expect(error('buffer', value).message).toMatch(/^value must be a Uint8Array .* create the log with "json".*, got /)
  },
)

test('buffer takes a Uint8Array of another realm, as under Jest', () => {
  const foreign = vm.runInNewContext('new Uint8Array([1, 2, 3])')
  expect(foreign instanceof Uint8Array).toBe(false)
  expect(codecOf('buffer').encode(foreign, -1)).toBe(foreign)
})

test.each([5, null, undefined, Buffer.from('x')])('utf8 refuses %o', value => {
  expect(error('utf8', value)).toBeInstanceOf(TypeError)
})

test('utf8 refuses a lone surrogate, which UTF-8 cannot hold', () => {
  expect(error('utf8', 'a\ud800b')).toMatchObject({ name: 'TypeError', message: expect.stringContaining('surrogate') })
})

const circular: any = {}
circular.self = circular
const throwing = {
  toJSON() {
    throw new Error('not today')
  },
}
test.each([
  [undefined, /undefined/],
  [() => {}, /function/],
  [Symbol('s'), /Symbol\(s\)/],
  [5n, /BigInt/],
  [circular, /circular/],
  [throwing, /not today/],
])('json refuses %o', (value, words) => {
  expect(error('json', value)).toBeInstanceOf(TypeError)
  expect(error('json', value)).toMatchObject({ code: 'VARVE_INVALID', message: expect.stringMatching(words) })
})

test('json keeps a lone surrogate, escaped', () => {
  const codec = codecOf('json')
  const text = codec.encode('a\ud800b', -1) as string
  const bytes = Buffer.from(text) as any
  expect(codec.decode(bytes, 0, bytes.length)).toBe('a\ud800b')
})

test.each([
  [{}, 'encoding.name'],
  [{ name: '', encode() {}, decode() {} }, 'encoding.name'],
  [{ name: 'x'.repeat(256), encode() {}, decode() {} }, 'encoding.name'],
  [{ name: 'x', encode() {} }, 'encoding.decode'],
  [{ name: 'x', decode() {} }, 'encoding.encode'],
  [{ name: 'x', format: 'hex', encode() {}, decode() {} }, 'encoding.format'],
  ['hex', 'encoding must be'],
  [null, 'encoding must be'],
])('the encoding option refuses %o', (encoding, words) => {
  expect(() => codecOf(encoding)).toThrow(
    expect.objectContaining({ code: 'VARVE_INVALID', message: expect.stringContaining(words) }),
  )
})

test('a custom encoding that returns the wrong kind, or throws, is a TypeError that names it', () => {
  const decode = (x: unknown) => x
  expect(error({ name: 'mine', encode: () => 'text', decode }, 1).message).toMatch(/"mine".*Uint8Array.*"text"/)
  expect(error({ name: 'mine', format: 'utf8', encode: () => 5, decode }, 1).message).toMatch(/"mine".*string.*5/)
  const cause = new Error('cannot')
  const thrown = error(
    {
      name: 'mine',
      encode() {
        throw cause
      },
      decode,
    },
    1,
  )
  expect(thrown.message).toMatch(/"mine": cannot/)
  expect(thrown.cause).toBe(cause)
})

test.each(['buffer', 'view', 'utf8'] as const)('a custom encoding of format %s gets what the format says', format => {
  let seen: unknown
  const codec = codecOf({
    name: 'mine',
    format,
    encode: (value: string) => (format === 'utf8' ? value : Buffer.from(value)),
    decode(data: unknown) {
      seen = data
      return String(Buffer.from(data as any))
    },
  })
  expect(codec.decode(Buffer.from('..abc..') as any, 2, 5)).toBe('abc')
  if (format === 'utf8') expect(seen).toBe('abc')
  else expect(Buffer.isBuffer(seen)).toBe(format === 'buffer')
})
