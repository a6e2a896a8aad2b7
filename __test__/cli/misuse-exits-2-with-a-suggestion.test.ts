import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { open } from '../../lib/index.js'
import { varve } from '../support/cli.js'
import { closedLog, newPath, openLog, texts } from '../support/temp.js'

test.each([
  [['verfiy'], 'unknown command verfiy; did you mean varve verify?'],
  [['frobnicate'], 'unknown command frobnicate; known are append, bench, cat,'],
  [['--frob'], 'unknown option --frob'],
  [['cat', '.', '--revers'], 'unknown option --revers; did you mean --reverse?'],
  [['cat', '.', '--zzz'], 'unknown option --zzz; see: varve cat --help'],
  [['cat', '.', '-x'], 'unknown option -x'],
  [['cat'], 'too few arguments; usage: varve cat DIR'],
  [['cat', '.', 'b'], 'unexpected argument "b"; usage: varve cat DIR'],
  [['cat', '.', '--limit'], '--limit needs a value: --limit N'],
  [['cat', '.', '--limit', '--reverse'], '--limit needs a value'],
  [['cat', '.', '--limit', '1.5'], '--limit must be a whole number of at least 0; got "1.5"'],
  [['cat', '.', '--reverse=yes'], '--reverse takes no value'],
  [['cat', '.', '-r', '-r'], '-r was given twice'],
  [['append', '.', '--format', 'xml'], '--format must be ndjson, lines or length-prefixed; got "xml"'],
] as [string[], string][])('%j', async (args, words) => {
  const { code, stdout, stderr } = await varve(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toContain(words)
  expect(stderr).toMatch(/^varve: [^\n]+ \[VARVE_INVALID\]\n$/)
})

test('help and version go to standard output and exit 0', async () => {
  const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'))
  expect(await varve(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  const { code, stdout } = await varve(['--help'])
  expect(code).toBe(0)
  const names = [...stdout.matchAll(/^ {2}(\w+) {2,}\w/gm)].map(match => match[1]!)
  expect(names).toEqual(expect.arrayContaining(['append', 'cat', 'info', 'verify']))
  for (const name of names) {
    const help = await varve([name, '--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(await varve(['help', name])).toEqual(help)
    expect(help.stdout).toMatch(/^usage {2}varve /m)
    expect(help.stdout).toMatch(/^examples$/m)
    expect(help.stdout).toContain('--json')
    for (const line of help.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
  }
  // Without a command the same text is an error.
  expect(await varve([])).toMatchObject({ code: 2, stdout: '', stderr: stdout })
})

test.each(['append', 'cat', 'export', 'info', 'recover', 'verify'])(
  '%s of a file says that DIR is a folder',
  async name => {
    const file = newPath()
    writeFileSync(file, '{}\n')
    const { code, stdout, stderr } = await varve([name, file], { input: '1\n' })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('or a part of that path, is a file; DIR is the folder of a log')
    expect(readFileSync(file, 'utf8')).toBe('{}\n')
  },
)

test('what the system prevents exits 3: a log that somebody else writes', async () => {
  const dir = newPath()
  const log = await openLog<object>(dir, { encoding: 'json' })
  const { code, stderr } = await varve(['append', dir], { input: '1\n' })
  expect(code).toBe(3)
  expect(stderr).toMatch(/^varve: [^\n]*pid \d+[^\n]*--wait SECONDS[^\n]* \[VARVE_LOCKED\]\n$/)
  // Readers need no lock.
  await log.append({ n: 1 })
  expect(await varve(['cat', dir])).toMatchObject({ code: 0, stdout: '{"n":1}\n' })
})

test('a log that cannot be opened says what to do about it', async () => {
  const dir = await closedLog(texts(10))
  expect((await varve(['cat', join(dir, 'not')])).code).toBe(2)
  await expect(open(join(dir, 'not'), { createIfMissing: false })).rejects.toMatchObject({ code: 'VARVE_NOT_FOUND' })
  const { code, stderr } = await varve(['append', join(dir, 'not'), '--no-create'], { input: '1\n' })
  expect(code).toBe(2)
  expect(stderr).toContain('[VARVE_NOT_FOUND]')
})
