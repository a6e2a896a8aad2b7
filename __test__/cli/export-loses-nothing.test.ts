import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { open } from '../../lib/index.js'
import { jsonLines, VARVE, varve } from '../support/cli.js'
import { closedLog, newPath, texts } from '../support/temp.js'

test('every record with offset and time, and a summary for programs', async () => {
  const dir = await closedLog(texts(3_000, 100))
  const { code, stdout, stderr } = await varve(['export', dir, '--json'])
  expect(code).toBe(0)
  const log = await open(dir, { encoding: 'utf8', readOnly: true })
  expect(jsonLines(stdout)).toEqual(await log.read().toArray())
  expect(JSON.parse(stderr)).toEqual({ count: 3_000, bytes: 300_000, head: log.head })
  await log.close()
  expect(jsonLines((await varve(['export', dir, '--from', '10', '-n', '2'])).stdout).map(r => r.offset)).toEqual([
    10, 11,
  ])
})

test('payloads that are not UTF-8 need base64, and the record is named', async () => {
  const dir = newPath()
  const log = await open(dir)
  const payloads = [Buffer.from('text'), Buffer.from([0xff, 0xfe]), Buffer.alloc(0)]
  await log.appendBatch(payloads)
  await log.close()
  const plain = await varve(['export', dir])
  expect(plain.code).toBe(1)
  expect(plain.stderr).toContain('record 1 is not valid UTF-8; export the payloads with --base64 [BAD_OUTPUT]')
  expect(jsonLines(plain.stdout)).toEqual([{ offset: 0, time: expect.any(Number), value: 'text' }])
  const { code, stdout } = await varve(['export', dir, '--base64'])
  expect(code).toBe(0)
  expect(jsonLines(stdout).map(({ base64 }) => Buffer.from(base64, 'base64'))).toEqual(payloads)
})

test('length-prefixed payloads pass from log to log through a pipe', async () => {
  const dir = newPath()
  const log = await open(dir)
  const payloads = Array.from({ length: 500 }, (_, n) => Buffer.alloc((n * n * 31) % 5_000, n))
  await log.appendBatch(payloads)
  await log.close()
  const other = newPath()
  const run = (...args: string[]) => `'${process.execPath}' '${VARVE}' ${args.join(' ')}`
  const pipe = `${run('export', dir, '-f', 'length-prefixed')} | ${run('append', other, '-f', 'length-prefixed')}`
  execFileSync('sh', ['-ec', pipe])
  const copy = await open(other)
  expect((await copy.read().toArray()).map(({ value }) => value)).toEqual(payloads)
  await copy.close()
})
