import { expect, test } from 'vitest'
import { closest, duration, size, visible } from '../../bin/support/words.js'

test('nothing in a record can command the terminal or leave its line', () => {
  expect(visible('a\x1b[31mred\x07\n\t\r\x7f\x9b')).toBe('a\\x1b[31mred\\x07\\n\\t\\r\\x7f\\x9b')
  // Bidi overrides, zero-width characters, separators and lone surrogates hide or move what is read.
  expect(visible('\u202etxt\u200b\u2028\ud800')).toBe('\\u{202e}txt\\u{200b}\\u{2028}\\u{d800}')
  expect(visible('grüße 日本 🎉 "x"')).toBe('grüße 日本 🎉 "x"')
})

test('numbers read well', () => {
  expect([size(0), size(1023), size(1024), size(15_000_000)]).toEqual(['0 B', '1023 B', '1.00 KiB', '14.3 MiB'])
  expect([duration(0.5), duration(12.34), duration(999), duration(61_000)]).toEqual([
    '500 µs',
    '12.3 ms',
    '999 ms',
    '1:01',
  ])
})

test('suggestions are near, or none', () => {
  const names = ['append', 'cat', 'verify', 'recover']
  expect(['verfiy', 'apend', 'rec', 'cta'].map(word => closest(word, names))).toEqual([
    'verify',
    'append',
    'recover',
    'cat',
  ])
  expect(closest('xyz', names)).toBeUndefined()
})
