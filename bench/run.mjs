/**
 * `npm run bench [-- --quick] [--only seq,pipe] [--without better-sqlite3] [--dir FOLDER]`
 *
 * Sides take turns (A B C, C B A, …) so that a slow moment of the machine falls on all of them, and a ratio is taken
 * within each round; the median of those ratios is what counts.
 */
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release } from 'node:os'
import { join, relative } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { summarize } from './statistics.mjs'
import { printTable } from './table.mjs'

const WARM_UP = 2 // rounds that are thrown away: cold code, and memory that the machine touches for the first time
const all = ['seq', 'pipe', 'batch', 'conc', 'scan']
const { values: args } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: all.join() },
    without: { type: 'string', default: '' },
    dir: { type: 'string', default: join(import.meta.dirname, '.data') },
  },
})
const without = new Set(args.without.split(','))
const data = join(args.dir, `varve-bench-${process.pid}`)
/** @type {Set<ChildProcess>} */
const children = new Set()

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(data, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

const started = performance.now()
const machine = `${cpus()[0].model}, ${availableParallelism()} cores, ${process.platform} ${release()}`
console.log(`varve bench${args.quick ? ' (quick)' : ''}: ${machine}, Node ${process.versions.node}`)
console.log('256 B JSON events as Buffers; fsync before each acknowledgement; median (quartiles) of interleaved rounds')
const outcomes = []
for (const name of args.only.split(',')) {
  if (!all.includes(name)) throw new Error(`no workload ${name}: there are ${all.join(', ')}`)
  const outcome = await runWorkload(name)
  printTable(outcome)
  outcomes.push(outcome)
}
save(outcomes)

/**
 * @param {string} name
 * @returns {Promise<import('./types.d.ts').Outcome>}
 */
async function runWorkload(name) {
  /** @type {{ default: import('./types.d.ts').Workload }} */
  const { default: workload } = await import(`./workloads/${name}.mjs`)
  const plan = workload.plan(args.quick)
  /** @type {Side[]} */
  const sides = []
  let storeOptions
  for (const side of workload.sides.filter(side => !without.has(side))) {
    const entry = startSide(side)
    sides.push(entry)
    const dir = join(data, `${name}-${side}`)
    mkdirSync(data, { recursive: true })
    const { result, error } = await ask(entry.child, {
      command: 'start',
      workload: name,
      side,
      dir,
      plan,
      storeOptions,
    })
    if (error) entry.left = error
    else storeOptions ??= result.storeOptions
  }

  const cpu = { own: 0, all: 0, available: 0 }
  for (let round = 0; round < WARM_UP + plan.rounds; round++) {
    const running = sides.filter(side => side.left === undefined)
    for (const entry of round % 2 ? running.reverse() : running) {
      const before = cpuMicros()
      const { result, error } = await ask(entry.child, { command: 'round', round })
      if (error) entry.left = error
      if (error || round < WARM_UP) continue
      const after = cpuMicros()
      cpu.own += result.cpuMicros * result.records
      cpu.all += after.busy - before.busy
      cpu.available += after.total - before.total
      entry.rounds.push(result)
    }
  }
  for (const { child } of sides) await stopSide(child)
  rmSync(data, { recursive: true, force: true })

  const { title, unit, better, baseline, target } = workload
  const othersShare = (cpu.all - cpu.own) / cpu.available
  const results = withRatios(sides, baseline)
  return { name, title, unit, better, baseline, target, plan, storeOptions, othersShare, sides: results }
}

/** Time of all cores since the machine started. */
function cpuMicros() {
  let busy = 0
  let idle = 0
  for (const { times } of cpus()) {
    busy += (times.user + times.nice + times.sys) * 1_000
    idle += (times.idle + times.irq) * 1_000
  }
  return { busy, total: busy + idle }
}

/**
 * @param {Side[]} sides
 * @param {string} baseline
 * @returns {Record<string, import('./types.d.ts').Result>}
 */
function withRatios(sides, baseline) {
  const base = sides.find(({ name, left }) => name === baseline && left === undefined)?.rounds
  return Object.fromEntries(
    sides.map(({ name, rounds, left }) => {
      if (left !== undefined) return [name, { left }]
      const values = rounds.map(round => round.value)
      const ratio = base && summarize(values.map((value, index) => value / base[index].value))
      const { median: cpuMicros } = summarize(rounds.map(round => round.cpuMicros))
      return [name, { value: summarize(values), ratio, cpuMicros, rounds }]
    }),
  )
}

/**
 * @typedef {{ name: string, child: ChildProcess, rounds: import('./types.d.ts').MeasuredRound[], left?: string }} Side
 * @typedef {import('node:child_process').ChildProcess} ChildProcess
 */

/**
 * @param {string} name
 * @returns {Side}
 */
function startSide(name) {
  const child = fork(join(import.meta.dirname, 'side.mjs'), { execArgv: ['--expose-gc'] })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return { name, child, rounds: [] }
}

/** @param {ChildProcess} child */
async function stopSide(child) {
  const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
  if (child.connected) await ask(child, { command: 'stop' })
  await exited
}

/**
 * @param {ChildProcess} child
 * @param {object} message
 * @returns {Promise<{ result?: any, error?: string }>}
 */
async function ask(child, message) {
  if (!child.connected) return { error: 'its process has ended' }
  const stop = new AbortController()
  child.send(message)
  const answer = once(child, 'message', { signal: stop.signal }).then(([reply]) => reply)
  const end = once(child, 'exit', { signal: stop.signal }).then(([code, signal]) => ({
    error: `its process ended with ${signal ?? code}`,
  }))
  const reply = await Promise.race([answer, end])
  stop.abort()
  await Promise.allSettled([answer, end])
  return reply.error ? { error: reply.error.split('\n')[0] } : reply
}

/** @param {object[]} outcomes */
function save(outcomes) {
  const folder = join(import.meta.dirname, 'results')
  const seconds = Math.round((performance.now() - started) / 1_000)
  const date = new Date().toISOString()
  const file = join(folder, `${date.replaceAll(':', '-').slice(0, 19)}${args.quick ? '-quick' : ''}.json`)
  mkdirSync(folder, { recursive: true })
  const about = { date, commit: commit(), machine, node: process.versions.node, quick: args.quick, seconds }
  writeFileSync(file, `${JSON.stringify({ ...about, workloads: outcomes }, undefined, 2)}\n`)
  console.log(`\n${seconds} s; all rounds in ${relative(process.cwd(), file)}`)
}

function commit() {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return undefined
  }
}
