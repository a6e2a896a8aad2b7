/**
 * `npm test`: installs, then the engine's tests, a build, and the package's tests.
 * Arguments go to vitest (`npm test -- append`), and then the engine's tests are left out.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from './tools/build.mjs'
import { ensurePrerequisites, fail } from './tools/prerequisites.mjs'
import { binOf, root, runAndRead } from './tools/run.mjs'

ensurePrerequisites()
const filters = process.argv.slice(2)
const total = { passed: 0, failed: 0, skipped: 0 }
let failed = false

if (filters.length === 0) {
  // The addon has no tests in Rust: it links only inside Node, where vitest tests it.
  const { status, output } = await runAndRead('cargo', ['test', '--package', 'varve-core', '--no-fail-fast'])
  failed ||= status !== 0
  for (const [, passed, broken, ignored] of output.matchAll(
    /^test result: .*? (\d+) passed; (\d+) failed; (\d+) ignored/gm,
  ))
    add(passed, broken, ignored)
}

build()
const report = join(root, 'target', 'vitest.json')
rmSync(report, { force: true })
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
const { status } = await runAndRead(process.execPath, [binOf('vitest'), 'run', ...reporters, ...filters])
failed ||= status !== 0
if (!existsSync(report)) fail('vitest ended without a report')
const vitest = JSON.parse(readFileSync(report, 'utf8'))
add(vitest.numPassedTests, vitest.numFailedTests, vitest.numPendingTests + vitest.numTodoTests)

// From what the two runners reported. A runner can fail without a failed test (a file that does not load), so the exit
// code is theirs, and the line says so.
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`tests: ${total.passed} passed, ${total.failed} failed${skipped}`)
if (failed) fail('tests failed')

/**
 * @param {number | string} passed
 * @param {number | string} broken
 * @param {number | string} skipped
 */
function add(passed, broken, skipped) {
  total.passed += Number(passed)
  total.failed += Number(broken)
  total.skipped += Number(skipped)
}
