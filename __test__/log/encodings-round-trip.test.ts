import { expect, test } from 'vitest'
import { type Encoding, open } from '../../lib/index.js'
import { newPath, openLog } from '../support/temp.js'

test.each<[string, unknown[]]>([
  ['utf8', ['', 'ascii', 'ümläut', '記録', '🪵', '\0', '\ufeffbom', 'x'.repeat(300_000)]],
  ['json', [null, true, 0, -1.5, '', 'lone \ud800', [], {}, { a: [1, { b: null }] }, 'x'.repeat(300_000)]],
])('%s: what goes in comes out', async (encoding, values) => {
  const log = await openLog<any>(newPath(), { encoding: encoding as 'utf8' })
  await log.appendBatch(values)
  await Promise.all(values.map(value => log.append(value)))
  await log.appendAll(values)
  expect((await log.read().toArray()).map(({ value }) => value)).toEqual([...values, ...values, ...values])
})

const reversed: Encoding<string> = {
  name: 'reversed',
  format: 'utf8',
  encode: value => [...value].reverse().join(''),
  decode: (data: string) => [...data].reverse().join(''),
}

test('a custom encoding is stored by name, and used both ways', async () => {
  const dir = newPath()
  const log = await openLog<string>(dir, { encoding: reversed })
  await log.append('abc')
  expect((await log.get(0))!.value).toBe('abc')
  await log.close()
  const raw = await openLog<Uint8Array, Buffer>(dir)
  expect((await raw.get(0))!.value.toString()).toBe('cba')
  await raw.close()
  await expect(open(dir, { encoding: 'utf8' })).rejects.toMatchObject({ code: 'VARVE_ENCODING_MISMATCH' })
})

test('what decode throws reaches the reader, and the log goes on', async () => {
  const boom = new Error('undecodable')
  const log = await openLog<string>(newPath(), {
    encoding: {
      ...reversed,
      decode() {
        throw boom
      },
    },
  })
  await log.append('abc')
  await expect(log.get(0)).rejects.toBe(boom)
  await expect(log.read().next()).rejects.toBe(boom)
  await expect(log.read().toArray()).rejects.toBe(boom)
  const { value: chunk } = await log.read().chunks().next()
  expect(Buffer.from(chunk.bytes(0)).toString()).toBe('cba')
  expect(() => chunk.at(0)).toThrow(boom)
  expect((await log.append('def')).offset).toBe(1)
})
