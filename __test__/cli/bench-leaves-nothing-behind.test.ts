import { mkdirSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ended, start, varve } from '../support/cli.js'
import { newPath } from '../support/temp.js'

test('floor and varve are measured, and the folder is as it was', async () => {
  const dir = newPath()
  mkdirSync(dir)
  const { code, stdout, stderr } = await varve(['bench', dir, '--seconds', '1', '--json'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const { ratios, ...result } = JSON.parse(stdout)
  for (const value of [...Object.values(result), ...Object.values(ratios)]) expect(value).toBeGreaterThan(0)
  expect(readdirSync(dir)).toEqual([])
})

test('also after SIGINT', async () => {
  const dir = newPath()
  mkdirSync(dir)
  const child = start(['bench', dir, '--seconds', '600'])
  const end = ended(child)
  while (readdirSync(dir).length === 0) await new Promise(setImmediate)
  child.kill('SIGINT')
  expect((await end).code).toBe(130)
  expect(readdirSync(dir)).toEqual([])
})

test('a folder that is not there is misuse', async () => {
  expect((await varve(['bench', newPath()])).code).toBe(2)
})
