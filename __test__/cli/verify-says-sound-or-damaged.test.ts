import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inspect } from '../../lib/index.js'
import { varve } from '../support/cli.js'
import { closedLog, newPath, snapshot, texts } from '../support/temp.js'

function flip(dir: string, position: number): void {
  const path = join(dir, '0000000001.seg')
  const bytes = readFileSync(path)
  bytes[position]! ^= 1
  writeFileSync(path, bytes)
}

test('a sound log exits 0 and prints the head to keep', async () => {
  const dir = await closedLog(texts(100))
  const { id, size, hash } = (await inspect(dir)).head
  const head = `${id}:${size}:${hash}`
  const { code, stdout, stderr } = await varve(['verify', dir])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain(`\nhead      ${head}\n`)
  const expected = await varve(['verify', dir, '--expect', head])
  expect(expected.code).toBe(0)
  expect(expected.stdout).toContain('the head that you gave')
})

test('damage exits 1 and names segment, position and record; nothing is changed', async () => {
  const dir = await closedLog(texts(1_000, 100), { compression: 'none' })
  flip(dir, 4096 + 150)
  const before = snapshot(dir)
  const { code, stdout } = await varve(['verify', dir])
  expect(code).toBe(1)
  expect(stdout).toMatch(/^damaged .*1 problem; sound: \d+ records/)
  expect(stdout).toContain('0000000001.seg, position 4,096, record 0  VARVE_CORRUPT')
  expect(stdout).toContain(`varve recover ${dir} --to NEWDIR`)
  const json = await varve(['verify', dir, '--json'])
  expect(json.code).toBe(1)
  expect(JSON.parse(json.stdout)).toMatchObject({
    ok: false,
    problems: [{ code: 'VARVE_CORRUPT', segment: '0000000001.seg', position: 4096, offset: 0 }],
  })
  expect(snapshot(dir)).toEqual(before)
})

test('a head that the log does not contain exits 1', async () => {
  const dir = await closedLog(texts(10))
  const { id, hash } = (await inspect(dir)).head
  const { code, stdout } = await varve(['verify', dir, '--expect', `${id}:11:${hash}`])
  expect(code).toBe(1)
  expect(stdout).toContain('VARVE_HEAD_MISMATCH')
  expect(stdout).toContain('another log or an older copy')
  expect(stdout).not.toContain('varve recover') // no copy brings back what is not in the files
})

test('misuse exits 2, never 1', async () => {
  const dir = await closedLog(texts(10))
  for (const args of [
    [],
    [newPath()],
    [dir, '--expect', 'x:1:y'],
    [dir, dir],
    [dir, '--from', '-1'],
    [dir, '--fast'],
  ]) {
    const { code, stdout, stderr } = await varve(['verify', ...args])
    expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' })
    expect(stderr).toMatch(/^varve: [^\n]+ \[VARVE_(INVALID|NOT_FOUND)\]\n$/)
  }
})
