/**
 * `npm run mutants`: plants one bug after another in the engine (crate/core/src/planted.rs) and runs its tests, suite
 * after suite, until one fails. Prints which one and, where it was the history test, after how many histories.
 * Fails when a bug survives all suites, or when a suite fails without any bug. Arguments choose bugs by name.
 */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensurePrerequisites, fail } from './tools/prerequisites.mjs'
import { root } from './tools/run.mjs'

/** In this order; those that are not named stand before the last. */
const ORDER = ['history', 'verify', 'engine', 'varve_core']
const LAST = 'exhaustive'
/** As many as CI runs: a bug that takes longer to catch is not caught. */
const HISTORIES = '3000'
/** A suite that hangs has failed. The history test ends itself when one history takes a minute. */
const SUITE_SECONDS_MAX = 150
/** Suites are mostly one thread each. */
const RUNNERS = 2

ensurePrerequisites()
const core = join(root, 'crate', 'core')
const wanted = process.argv.slice(2)
const bugs = listBugs().filter(bug => wanted.length === 0 || wanted.includes(bug))
if (bugs.length === 0) fail(`no such bug: ${wanted.join(', ')}; they are listed in crate/core/src/planted.rs`)
const suites = buildSuites()
const started = Date.now()

/** @type {(string | undefined)[]} */
const queue = [undefined, ...bugs]
/** @type {Map<string | undefined, Catch | undefined>} */
const results = new Map()
await Promise.all(Array.from({ length: RUNNERS }, runQueue))

const survivors = bugs.filter(bug => !results.get(bug))
const sound = results.get(undefined)
printTable()
const seconds = Math.round((Date.now() - started) / 1000)
console.log(`\nmutants: ${bugs.length - survivors.length} of ${bugs.length} planted bugs caught, in ${seconds} s`)
if (sound) fail(`without any bug ${sound.suite} fails: ${sound.test}\n${sound.output}`)
if (survivors.length > 0) fail(`nothing caught ${survivors.join(', ')}`)

async function runQueue() {
  while (queue.length > 0) {
    const bug = queue.shift()
    const caught = await firstFailure(bug)
    results.set(bug, caught)
    console.log(`${bug ?? '(no bug)'}: ${caught ? `${caught.suite}, ${caught.test}` : 'all tests pass'}`)
  }
}

/**
 * @typedef {{ suite: string, test: string, histories: string, output: string }} Catch
 * @param {string | undefined} bug
 * @returns {Promise<Catch | undefined>}
 */
async function firstFailure(bug) {
  for (const { name, path } of suites) {
    const { failed, output } = await runSuite(path, bug)
    if (failed) return describe(name, output)
  }
  return undefined
}

/**
 * @param {string} path
 * @param {string | undefined} bug
 * @returns {Promise<{ failed: boolean, output: string }>}
 */
function runSuite(path, bug) {
  const env = { ...process.env, VARVE_HISTORIES: HISTORIES, VARVE_PLANT: bug ?? '' }
  return new Promise((resolve, reject) => {
    const child = spawn(path, [], { cwd: core, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, SUITE_SECONDS_MAX * 1000)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        output = (output + text).slice(-1_000_000)
      })
    }
    child.on('error', reject)
    child.on('close', status => {
      clearTimeout(timer)
      resolve({ failed: status !== 0, output: late ? `${output}\na suite hangs` : output })
    })
  })
}

/**
 * What the output of a failed suite says: the seeded histories first, for they tell how many it took.
 *
 * @param {string} suite
 * @param {string} output
 * @returns {Catch}
 */
function describe(suite, output) {
  // The list at the end is there unless the process died; what comes before it may be too long to be kept.
  const listed = [...output.slice(output.lastIndexOf('\nfailures:\n')).matchAll(/^ {4}(\S+)$/gm)]
  const lines = [...output.matchAll(/^test (\S+) (?:- should panic )?\.\.\. FAILED$/gm)]
  const failed = (listed.length > 0 ? listed : lines).map(([, test]) => test)
  const history = /^history (\d+) \(after (\d+) others\)/m.exec(output)
  const hanging = /^history (\d+) hangs/m.exec(output)
  if (hanging) return { suite, test: 'a history hangs', histories: String(Number(hanging[1]) + 1), output }
  const seeded = failed.find(test => /^no_history_/.test(test))
  const histories = history && seeded ? String(Number(history[2]) + 1) : ''
  const test = seeded ?? failed[0] ?? (output.endsWith('a suite hangs') ? 'hangs' : 'the process dies')
  const more = failed.length > 1 ? ` (and ${failed.length - 1} more)` : ''
  return { suite, test: test + more, histories, output }
}

function printTable() {
  const rows = bugs.map(bug => {
    const caught = results.get(bug)
    return [bug, caught ? `${caught.suite}: ${caught.test}` : 'NOT CAUGHT', caught?.histories ?? '']
  })
  const table = [['planted bug', 'caught by', 'histories'], ...rows]
  const widths = [0, 1, 2].map(column => Math.max(...table.map(row => row[column].length)))
  const line = (/** @type {string[]} */ row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd()
  console.log(`\n${line(table[0])}\n${widths.map(width => '─'.repeat(width)).join('  ')}`)
  for (const row of rows) console.log(line(row))
}

/** The variants of `Bug`, in their order. */
function listBugs() {
  const source = readFileSync(join(core, 'src', 'planted.rs'), 'utf8')
  const list = source.slice(source.indexOf('\nbugs! {'))
  return [...list.slice(0, list.indexOf('\n}')).matchAll(/^ {4}(\w+),$/gm)].map(([, name]) => name)
}

/**
 * Builds the engine's test programs once, with all bugs in them, asleep.
 *
 * @returns {{ name: string, path: string }[]}
 */
function buildSuites() {
  const args = ['test', '--package', 'varve-core', '--features', 'planted', '--lib', '--tests', '--no-run']
  const { status, stdout } = spawnSync('cargo', [...args, '--message-format=json-render-diagnostics'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) fail('the tests do not build with the feature planted')
  const built = stdout.split('\n').filter(line => line.startsWith('{'))
  const suites = built.flatMap(line => {
    const { reason, executable, target, profile } = JSON.parse(line)
    return reason === 'compiler-artifact' && executable && profile.test ? [{ name: target.name, path: executable }] : []
  })
  const rank = (/** @type {{ name: string }} */ { name }) => {
    if (name === LAST) return ORDER.length + 1
    return ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length
  }
  return suites.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
}
