import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newPath } from '../support/temp.js'

/** Opens a log with a copy of the built package that has `files` beside it, and gives back the error. */
function failure(files: Record<string, string> = {}): any {
  const root = newPath('package')
  mkdirSync(root)
  cpSync(join(__dirname, '..', '..', 'dist'), join(root, 'dist'), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text)
  const program = `require('./dist').open('log').catch(e =>
    console.log(JSON.stringify({ code: e.code, message: e.message, cause: e.cause && { code: e.cause.code } })))`
  return JSON.parse(execFileSync(process.execPath, ['-e', program], { cwd: root, encoding: 'utf8' }))
}

test('without the platform package: VARVE_UNSUPPORTED names platform, runtime and the command that mends it', () => {
  const error = failure()
  expect(error).toMatchObject({ code: 'VARVE_UNSUPPORTED', cause: { code: 'MODULE_NOT_FOUND' } })
  expect(error.message).toContain(`${process.platform} ${process.arch}`)
  expect(error.message).toContain(`Node.js ${process.versions.node}`)
  expect(error.message).toContain(`@varve-log/varve-${process.platform}-${process.arch}`)
  expect(error.message).toContain(`npm install --include=optional --os=${process.platform} --cpu=${process.arch}`)
})

test('in a clone that was not built, the command is the build', () => {
  expect(failure({ 'Cargo.toml': '' }).message).toMatch(/To mend it, run: npm run build$/)
})

test.runIf(process.platform === 'linux' && process.arch === 'x64')(
  'a file that is there and does not load says why',
  () => {
    const error = failure({ 'varve.linux-x64-gnu.node': 'no ELF', 'varve.linux-x64-musl.node': 'no ELF' })
    expect(error).toMatchObject({ code: 'VARVE_UNSUPPORTED', cause: { code: 'ERR_DLOPEN_FAILED' } })
  },
)
