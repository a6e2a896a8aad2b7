import { expect, test } from 'vitest'
import { open } from '../../lib/index.js'
import { jsonLines, varve } from '../support/cli.js'
import { closedLog, newPath } from '../support/temp.js'

const VALUES = ['zero', 'one', 'twö', 'three', 'four']

test('values, one a line, by offset, limit and direction', async () => {
  const dir = await closedLog(VALUES)
  const cat = async (...args: string[]) => (await varve(['cat', dir, ...args])).stdout.split('\n').slice(0, -1)
  expect(await cat()).toEqual(VALUES)
  expect(await cat('--from', '1', '--to', '3')).toEqual(['one', 'twö'])
  expect(await cat('-rn', '2')).toEqual(['four', 'three'])
  expect(await cat('--from', '99')).toEqual([])
  expect(await cat('--long', '--limit=1')).toEqual([
    expect.stringMatching(/^ {5}0 {2}\d{4}-\d\d-\d\dT[\d:.]+Z {2}zero$/),
  ])
})

test('times are places too', async () => {
  const dir = await closedLog(VALUES)
  const stdout = async (...args: string[]) => (await varve(['cat', dir, ...args])).stdout
  expect(await stdout('--from', '2001-01-01')).toBe(`${VALUES.join('\n')}\n`)
  expect(await stdout('--to', '2001-01-01T00:00:00Z')).toBe('')
  const wrong = await varve(['cat', dir, '--from', 'yesterday'])
  expect(wrong.code).toBe(2)
  expect(wrong.stderr).toContain('--from must be an offset or an ISO time; got "yesterday"')
})

test('raw payloads stand side by side', async () => {
  const dir = await closedLog(VALUES)
  expect((await varve(['cat', dir, '--raw'])).stdout).toBe(VALUES.join(''))
})

test('json lines hold JSON as it was stored, text as strings, and other bytes in base64', async () => {
  const json = newPath()
  expect((await varve(['append', json], { input: '{"n": 12345678901234567890}\n' })).code).toBe(0)
  expect((await varve(['cat', json, '--json'])).stdout).toMatch(
    /^\{"offset":0,"time":\d+,"value":\{"n": 12345678901234567890\}\}\n$/,
  )
  const bytes = newPath()
  const log = await open(bytes)
  await log.appendBatch([Buffer.from('a"b\n'), Buffer.from([0xff, 0])])
  await log.close()
  const lines = jsonLines((await varve(['cat', bytes, '--json'])).stdout)
  expect(lines).toEqual([
    { offset: 0, time: expect.any(Number), value: 'a"b\n' },
    { offset: 1, time: expect.any(Number), base64: '/wA=' },
  ])
})

test('line breaks between the tokens of a JSON payload do not break the line', async () => {
  const dir = newPath()
  const log = await open(dir, { encoding: { name: 'json', format: 'utf8', encode: (t: string) => t, decode: t => t } })
  await log.append('{\n  "a": "x\\ny"\r\n}')
  await log.close()
  const { stdout } = await varve(['cat', dir, '--json'])
  expect(jsonLines(stdout)[0].value).toEqual({ a: 'x\ny' })
})
