import { expect, test } from 'vitest'
import { jsonLines, varve } from '../support/cli.js'
import { closedLog, newPath, texts } from '../support/temp.js'

test('what each command prints with --json is JSON, and so are its errors', async () => {
  const dir = await closedLog(texts(100))
  const runs: [name: string, ...rest: string[]][] = [
    ['append', dir],
    ['cat', dir],
    ['export', dir],
    ['info', dir],
    ['verify', dir],
  ]
  for (const [name, ...rest] of runs) {
    const { code, stdout, stderr } = await varve([name, ...rest, '--json'], { input: 'a line\n' })
    expect({ name, code }).toEqual({ name, code: 0 })
    expect(jsonLines(stdout).length).toBeGreaterThan(0)
    jsonLines(stderr)
    const failed = await varve([name, newPath('none'), '--json', '--no-such-option'])
    expect({ name, code: failed.code, stdout: failed.stdout }).toEqual({ name, code: 2, stdout: '' })
    expect(JSON.parse(failed.stderr)).toMatchObject({ error: { code: 'VARVE_INVALID' } })
  }
  const none = await varve(['cat', newPath('none'), '--json'])
  expect(JSON.parse(none.stderr)).toMatchObject({ error: { code: 'VARVE_NOT_FOUND', path: expect.any(String) } })
})
