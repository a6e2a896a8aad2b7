/** docs/CLI.md: its commands run as they stand there, and it names every command and option that there is. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { VARVE, varve } from '../support/cli.js'
import { newPath } from '../support/temp.js'

const text = readFileSync(resolve(__dirname, '../../docs/CLI.md'), 'utf8')

test('the commands in docs/CLI.md run, in order', () => {
  const cwd = newPath()
  const bin = join(cwd, 'bin')
  mkdirSync(bin, { recursive: true })
  symlinkSync(VARVE, join(bin, 'varve'))
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
  const blocks = [...text.matchAll(/```sh\n([^`]*?)```/g)].map(match => match[1]!)
  expect(blocks.length).toBeGreaterThan(4)
  for (const block of blocks) execFileSync('sh', ['-euc', block], { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] })
})

test('docs/CLI.md names every command and every option', async () => {
  const { stdout } = await varve(['--help'])
  const names = [...stdout.matchAll(/^ {2}(\w+) {2,}\w/gm)].map(match => match[1]!)
  const sections = new Map(text.split(/^## /m).map(section => [section.split('\n')[0]!, section]))
  for (const name of names) {
    const help = (await varve([name, '--help'])).stdout
    const options = [...help.matchAll(/^ {2}(?:-\w,| {3}) (--[\w-]+)/gm)].map(match => match[1]!)
    expect(options.length).toBeGreaterThan(2) // --json, --help and one of its own
    const section = sections.get(name)
    expect(section, `section ${name}`).toBeDefined()
    for (const option of options.filter(option => option !== '--help' && option !== '--json')) {
      expect(section, `${name} ${option}`).toContain(`${option}`)
    }
  }
})
