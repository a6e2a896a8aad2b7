import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { varve } from '../support/cli.js'
import { newPath } from '../support/temp.js'

const SECRET = 'a secret of more than 32 bytes, for tests only'

test('a file and the environment give the same secret; without it nothing is read', async () => {
  const dir = newPath()
  const file = newPath('secret')
  writeFileSync(file, SECRET)
  expect((await varve(['append', dir, '--secret-file', file], { input: '{"n":1}\n' })).code).toBe(0)
  expect((await varve(['append', dir], { input: '{"n":2}\n', env: { VARVE_SECRET: SECRET } })).code).toBe(0)
  const { code, stdout } = await varve(['cat', dir], { env: { VARVE_SECRET_FILE: file } })
  expect({ code, stdout }).toEqual({ code: 0, stdout: '{"n":1}\n{"n":2}\n' })
  const verified = await varve(['verify', dir, '--secret-file', file])
  expect(verified.code).toBe(0)
  expect(verified.stdout).toContain('the secret: who lacks it cannot forge them')
  for (const args of [
    ['cat', dir],
    ['verify', dir],
    ['append', dir],
  ]) {
    const { code, stderr } = await varve(args, { input: '1\n' })
    expect({ args, code }).toEqual({ args, code: 2 })
    expect(stderr).toMatch(/a secret is needed.*VARVE_SECRET_FILE.* \[VARVE_WRONG_SECRET\]\n$/)
  }
  // Headers and footers need none.
  const info = await varve(['info', dir])
  expect(info.code).toBe(0)
  expect(info.stdout).toContain('VARVE_WRONG_SECRET')
})

test('an argument is refused, and not repeated', async () => {
  for (const args of [['--secret', SECRET], [`--secret=${SECRET}`]]) {
    const { code, stderr } = await varve(['cat', newPath(), ...args])
    expect(code).toBe(2)
    expect(stderr).toContain('no secret is taken from arguments')
    expect(stderr).not.toContain(SECRET)
  }
})

test('a secret that is too short says how long it is, and a newline that counts', async () => {
  const file = newPath('secret')
  writeFileSync(file, 'short\n')
  const { code, stderr } = await varve(['cat', newPath(), '--secret-file', file])
  expect(code).toBe(2)
  expect(stderr).toContain('it has 6 (its last newline counted)')
  expect((await varve(['cat', newPath()], { env: { VARVE_SECRET: 'x' } })).stderr).toContain('VARVE_SECRET must have')
})
