/** The README's first two programs print what the README says. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { newPath } from '../support/temp.js'

const root = resolve(__dirname, '../..')

test('the quickstart and the cheat print what the README shows', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const pairs = [...readme.matchAll(/```js\n([^`]*?)```\n(?:(?!```)[\s\S])*?```text\n([^`]*?)```/g)].slice(0, 2)
  expect(pairs).toHaveLength(2)

  // A project of a user: the package is a link in node_modules.
  const project = newPath()
  mkdirSync(join(project, 'node_modules'), { recursive: true })
  symlinkSync(root, join(project, 'node_modules', 'varve'), 'dir')
  for (const [, program, output] of pairs) {
    writeFileSync(join(project, 'program.mjs'), program!)
    const printed = execFileSync(process.execPath, ['program.mjs'], { cwd: project, encoding: 'utf8' })
    expect(printed.replaceAll(project, '.')).toBe(output)
  }
})
