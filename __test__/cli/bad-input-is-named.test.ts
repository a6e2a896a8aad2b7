import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open } from '../../lib/index.js'
import { varve } from '../support/cli.js'
import { newPath } from '../support/temp.js'

async function sizeOf(dir: string): Promise<number> {
  const log = await open(dir, { readOnly: true })
  await log.close()
  return log.head.size
}

test('a line that is not JSON is named with its file, and what was appended before it stays', async () => {
  const dir = newPath()
  const file = newPath('events.ndjson')
  writeFileSync(file, '{"n":1}\n\n{"n":2}\nnonsense\n{"n":3}\n')
  const { code, stdout, stderr } = await varve(['append', dir, file])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toContain(`${file}:4: not JSON`)
  expect(stderr).toContain('2 records before that are durable, at offsets 0 to 1')
  expect(stderr).toMatch(/^varve: [^\n]+ \[BAD_INPUT\]\n$/)
  expect(await sizeOf(dir)).toBe(2)
})

test('for programs the same is one line of JSON', async () => {
  const dir = newPath()
  const { code, stderr } = await varve(['append', dir, '--json'], { input: '1\n{' })
  expect(code).toBe(1)
  expect(JSON.parse(stderr).error).toMatchObject({
    code: 'BAD_INPUT',
    where: 'stdin:2',
    appended: { offset: 0, count: 1, head: { size: 1 } },
  })
})

test('bytes that are not UTF-8 are refused where the log stores text', async () => {
  const input = Buffer.from([0x61, 0x0a, 0xff, 0x0a])
  for (const format of ['ndjson', 'lines']) {
    const dir = newPath()
    const { code, stderr } = await varve(['append', dir, '--format', format], {
      input: format === 'ndjson' ? Buffer.from('"a"\n"\xff"\n', 'latin1') : input,
    })
    expect(code).toBe(1)
    expect(stderr).toContain('stdin:2: not valid UTF-8; 1 record before that is durable, at offset 0')
  }
})

test('a payload for a json log must be JSON in whatever frame it comes', async () => {
  const dir = newPath()
  expect((await varve(['append', dir], { input: '1\n' })).code).toBe(0)
  const input = Buffer.from([1, 0, 0, 0, 0x31, 1, 0, 0, 0, 0x7b])
  const { code, stderr } = await varve(['append', dir, '-f', 'length-prefixed'], { input })
  expect(code).toBe(1)
  expect(stderr).toContain('stdin: record 2: not JSON')
  expect(await sizeOf(dir)).toBe(2)
})

test('records over the limit and records cut short are refused', async () => {
  const dir = newPath()
  const long = await varve(['append', dir, '--max-record-bytes', '10'], { input: `1\n"${'x'.repeat(20)}"\n` })
  expect(long.code).toBe(1)
  expect(long.stderr).toContain('stdin:2: 22 bytes, over the limit of 10 bytes')
  // Without any newline the input is not kept in memory for ever.
  const endless = await varve(['append', dir, '--max-record-bytes', '10'], { input: 'x'.repeat(1_000_000) })
  expect(endless.stderr).toContain('stdin:1: the line is over the limit of 10 bytes')
  const short = await varve(['append', newPath(), '-f', 'length-prefixed'], { input: Buffer.from([9, 0, 0, 0, 1]) })
  expect(short.code).toBe(1)
  expect(short.stderr).toContain('stdin: record 1: the input ends inside a record; nothing was appended')
})
