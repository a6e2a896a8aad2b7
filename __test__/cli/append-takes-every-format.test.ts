import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inspect, open } from '../../lib/index.js'
import { jsonLines, varve } from '../support/cli.js'
import { newPath } from '../support/temp.js'

async function payloads(dir: string): Promise<string[]> {
  const log = await open(dir, { readOnly: true })
  try {
    return (await log.read().toArray()).map(({ value }) => value.toString())
  } finally {
    await log.close()
  }
}

const prefixed = (...texts: string[]) =>
  Buffer.concat(
    texts.map(text => {
      const record = Buffer.alloc(4 + Buffer.byteLength(text))
      record.writeUInt32LE(Buffer.byteLength(text))
      record.write(text, 4)
      return record
    }),
  )

test('ndjson keeps each value as it stands, passes over blank lines, and makes a json log', async () => {
  const dir = newPath()
  const input = '\ufeff{"n":1}\n\n  \r\n{ "big": 12345678901234567890 }\r\n"last"'
  const { code, stdout, stderr } = await varve(['append', dir], { input })
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' })
  expect((await inspect(dir)).encoding).toBe('json')
  expect(await payloads(dir)).toEqual(['{"n":1}', '{ "big": 12345678901234567890 }', '"last"'])
})

test('lines are records, empty ones too, without newline or carriage return', async () => {
  const dir = newPath()
  expect((await varve(['append', dir, '--format', 'lines'], { input: 'one\n\ntwö\r\nlast' })).code).toBe(0)
  expect((await inspect(dir)).encoding).toBe('utf8')
  // The log says what its input is.
  expect((await varve(['append', dir], { input: 'more\n' })).code).toBe(0)
  expect(await payloads(dir)).toEqual(['one', '', 'twö', 'last', 'more'])
})

test('length-prefixed payloads may hold anything', async () => {
  const dir = newPath()
  const input = prefixed('a\nb', '', '\0', 'x'.repeat(300_000))
  const { code, stdout } = await varve(['append', dir, '-f', 'length-prefixed', '--json'], { input })
  expect(code).toBe(0)
  expect(jsonLines(stdout)[0]).toMatchObject({ offset: 0, count: 4, bytes: 300_004, head: { size: 4 } })
  expect((await inspect(dir)).encoding).toBe('buffer')
  expect(await payloads(dir)).toEqual(['a\nb', '', '\0', 'x'.repeat(300_000)])
})

test('files are appended in order, however their records lie in what is read at once', async () => {
  const dir = newPath()
  const folder = newPath('files')
  mkdirSync(folder)
  const lines = Array.from({ length: 5_000 }, (_, n) => JSON.stringify({ n, text: 'é'.repeat((n * 37) % 400) }))
  const files = [lines.slice(0, 3_000), lines.slice(3_000)].map((part, at) => {
    const file = join(folder, `${at}.ndjson`)
    writeFileSync(file, part.join('\n')) // no newline at the end
    return file
  })
  const { code, stdout } = await varve(['append', dir, ...files, '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ offset: 0, count: 5_000 })
  expect(await payloads(dir)).toEqual(lines)
})

test('a missing file is found before anything is appended', async () => {
  const dir = newPath()
  const file = newPath('here.ndjson')
  writeFileSync(file, '1\n')
  const { code, stderr } = await varve(['append', dir, file, `${file}.not`])
  expect(code).toBe(2)
  expect(stderr).toMatch(/^varve: ENOENT.*here\.ndjson\.not' \[ENOENT\]\n$/)
  await expect(inspect(dir)).rejects.toMatchObject({ code: 'VARVE_NOT_FOUND' })
})

test('a log of another encoding takes no lines', async () => {
  const dir = newPath()
  const log = await open(dir, { encoding: { name: 'msgpack', encode: (b: Uint8Array) => b, decode: (b: any) => b } })
  await log.close()
  const { code, stderr } = await varve(['append', dir, '--format', 'lines'], { input: 'x\n' })
  expect(code).toBe(2)
  expect(stderr).toContain('encoding "msgpack"')
})
