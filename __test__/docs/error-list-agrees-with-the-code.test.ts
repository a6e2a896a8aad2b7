/** docs/ERRORS.md describes exactly the codes that the type and the engine know. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(__dirname, '../..')
const text = (path: string) => readFileSync(resolve(root, path), 'utf8')
const all = (source: string, pattern: RegExp) => [...source.matchAll(pattern)].map(([, code]) => code!).sort()

const described = all(text('docs/ERRORS.md'), /^## (VARVE_\w+)$/gm)
const typed = all(text('lib/errors.ts'), /^ {2}\| '(VARVE_\w+)'/gm)

test('each code of the type has a section, in alphabetical order, and no other has', () => {
  expect(typed.length).toBeGreaterThan(10)
  expect(described).toEqual(typed)
  expect([...text('docs/ERRORS.md').matchAll(/^## (VARVE_\w+)$/gm)].map(([, code]) => code)).toEqual(described)
})

test('each section says the cause and what to do', () => {
  for (const section of text('docs/ERRORS.md').split(/^## /m).slice(1)) {
    expect(section).toContain('*Cause:*')
    expect(section).toContain('*Do:*')
  }
})

test('the engine makes no code that the type does not know', () => {
  const engine = all(text('crate/core/src/error.rs'), /=> "(VARVE_\w+)"/g)
  expect(engine.length).toBeGreaterThan(10)
  // Misuse, which is no VarveError.
  expect(engine.filter(code => code !== 'VARVE_INVALID' && !typed.includes(code))).toEqual([])
})

test('no other page or message names a code that does not exist', () => {
  const pages = ['README.md', 'docs/DURABILITY.md', 'docs/INTEGRITY.md', 'docs/OPERATIONS.md', 'lib/types.ts']
  const known = new Set([...typed, 'VARVE_INVALID'])
  for (const page of pages) {
    const named = all(text(page), /\b(VARVE_[A-Z_]+)\b/g).filter(
      code => !/^VARVE_(SEED|FIRST|HISTORIES|RUNS|KILL)/.test(code),
    )
    expect(
      named.filter(code => !known.has(code)),
      page,
    ).toEqual([])
  }
})
