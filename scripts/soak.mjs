/**
 * `npm run soak -- --seconds 600`: the seeded histories of crate/core/tests/history, with random seeds, until the time is
 * over or one fails. One process a core. Optimized as a release is, but with debug assertions and overflow checks on.
 */
import { spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { ensurePrerequisites, fail } from './tools/prerequisites.mjs'
import { root } from './tools/run.mjs'

const TEST = 'no_history_loses_an_acknowledged_record_or_returns_a_damaged_one'
/** How long one process runs before its count is taken. */
const STRETCH_SECONDS = 5

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    processes: { type: 'string', default: String(availableParallelism()) },
  },
})
const seconds = Number(values.seconds)
const processes = Number(values.processes)
if (!(seconds > 0)) fail(`--seconds must be a number above 0, got ${values.seconds}`)
if (!(Number.isInteger(processes) && processes > 0)) fail(`--processes must be at least 1, got ${values.processes}`)

ensurePrerequisites()
const binary = buildTest()
const start = performance.now()
const elapsed = () => (performance.now() - start) / 1_000
let histories = 0
let failed = false
/** @type {Map<string, number>} */
const facts = new Map()

console.log(`soak: ${processes} processes for ${seconds} s`)
await Promise.all(Array.from({ length: processes }, soak))
const took = elapsed()
console.log(JSON.stringify(Object.fromEntries([...facts].sort())))
console.log(`soak: ${histories} histories in ${took.toFixed(0)} s, ${(histories / took).toFixed(0)} a second`)
if (failed) fail('soak failed: a history is told above, with the command that replays it')
console.log('soak: found nothing')

/** One process after another, each with seeds of its own, until the time is over or one has failed. */
async function soak() {
  let perSecond = 20
  for (let left = seconds - elapsed(); left > 0 && !failed; left = seconds - elapsed()) {
    const count = Math.max(1, Math.round(perSecond * Math.min(STRETCH_SECONDS, left)))
    const began = elapsed()
    const { status, output } = await runHistories(randomInt(2 ** 48 - 1), count)
    if (status !== 0) {
      // Another process may have failed meanwhile; the first one is told.
      if (!failed) console.log(output)
      failed = true
      return
    }
    histories += count
    perSecond = count / (elapsed() - began)
    for (const [, what, times] of output.matchAll(/^ +"(.+)": (\d+),$/gm)) {
      facts.set(what, (facts.get(what) ?? 0) + Number(times))
    }
  }
}

/**
 * @param {number} first
 * @param {number} count
 * @returns {Promise<{ status: number | null, output: string }>}
 */
function runHistories(first, count) {
  // VARVE_SEED would replay one history only.
  const env = { ...process.env, VARVE_SEED: '', VARVE_FIRST: String(first), VARVE_HISTORIES: String(count) }
  return new Promise((resolve, reject) => {
    const child = spawn(binary, [TEST, '--exact', '--nocapture'], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        output += text
      })
    }
    child.on('error', reject)
    child.on('close', status => {
      // Without it the test has another name by now, and nothing ran.
      const ran = status !== 0 || output.includes('1 passed')
      resolve(ran ? { status, output } : { status: 1, output: `${output}\n${TEST} was not found` })
    })
  })
}

/** Builds the test and says where its program is. */
function buildTest() {
  const args = ['test', '--profile', 'soak', '--package', 'varve-core', '--test', 'history', '--no-run']
  const { status, stdout } = spawnSync('cargo', [...args, '--message-format=json-render-diagnostics'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  if (status !== 0) process.exit(status ?? 1)
  const messages = stdout.split('\n').filter(line => line.startsWith('{'))
  const built = messages
    .map(line => JSON.parse(line))
    .find(({ executable, target }) => executable && target.name === 'history')
  if (built === undefined) fail('cargo built no test named history')
  return built.executable
}
