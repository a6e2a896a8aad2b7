/**
 * The JavaScript in README.md and docs/ is real: what imports varve is run as a program of a user, with its printed
 * output compared where a `text` block follows; what does not is a fragment, and is checked against the types.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { newPath } from '../support/temp.js'

const root = resolve(__dirname, '../..')
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
]

interface Block {
  page: string
  line: number
  code: string
  /** What a `text` block right behind it says that it prints. */
  prints: string | undefined
}

const blocks = pages.flatMap(page => {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```(?:js|ts)\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```\n)?/gm)].map((match): Block => {
    const line = text.slice(0, match.index).split('\n').length
    return { page, line, code: match[1]!, prints: match[2] }
  })
})
const isProgram = ({ code }: Block) => /^import .* from 'varve'$/m.test(code)

/** Names that fragments use without saying where they come from. */
const PRELUDE = `
import { open, openMemory, verify, inspect, VarveError, type Log, type Head } from 'varve'
declare const log: Log<any>
declare const database: { saveHead(head: Head): Promise<void>; loadHead(): Promise<Head> }
declare const server: import('node:http').Server
`

test('there are programs and fragments', () => {
  expect(blocks.filter(isProgram).length).toBeGreaterThan(3)
  expect(blocks.filter(block => !isProgram(block)).length).toBeGreaterThan(0)
})

describe('programs', () => {
  for (const page of new Set(blocks.filter(isProgram).map(block => block.page))) {
    test(`${page}: each runs, after those before it, and prints what the page shows`, () => {
      // A project of a user: the package is a link in node_modules.
      const project = newPath()
      mkdirSync(join(project, 'node_modules'), { recursive: true })
      symlinkSync(root, join(project, 'node_modules', 'varve'), 'dir')
      for (const block of blocks.filter(block => block.page === page && isProgram(block))) {
        writeFileSync(join(project, 'program.mjs'), block.code)
        const printed = execFileSync(process.execPath, ['program.mjs'], {
          cwd: project,
          encoding: 'utf8',
          stdio: 'pipe',
        })
        if (block.prints !== undefined)
          expect(printed.replaceAll(project, '.'), `line ${block.line}`).toBe(block.prints)
      }
    })
  }
})

test('fragments agree with the types', () => {
  const folder = join(root, '__test__', 'docs', 'virtual')
  const sources = new Map(
    blocks
      .filter(block => !isProgram(block))
      .map(block => [
        join(folder, `${block.page.replace(/\W/g, '-')}-${block.line}.ts`),
        `${PRELUDE}export async function fragment() {\n${block.code}}\nvoid fragment\n`,
      ]),
  )
  const { config } = ts.readConfigFile(join(root, 'tsconfig.check.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, root)
  const host = ts.createCompilerHost({ ...options, noUnusedLocals: false })
  const { getSourceFile, fileExists } = host
  host.fileExists = name => sources.has(name) || fileExists(name)
  host.getSourceFile = (name, ...rest) => {
    const text = sources.get(name)
    return text === undefined ? getSourceFile(name, ...rest) : ts.createSourceFile(name, text, ts.ScriptTarget.ESNext)
  }
  const program = ts.createProgram([...sources.keys()], { ...options, noUnusedLocals: false }, host)
  const wrong = [...sources.keys()].flatMap(name => {
    const file = program.getSourceFile(name)!
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
    return found.map(({ messageText }) => `${name}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
  })
  expect(wrong).toEqual([])
})
