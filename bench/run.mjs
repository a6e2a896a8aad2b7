/**
 * `npm run bench [-- --quick] [--all] [--only seq,pipe] [--without better-sqlite3] [--dir FOLDER]`
 *
 * Chooses the workloads, prints each, and saves everything as JSON.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release } from 'node:os'
import { join, relative } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { runWorkload } from './runner.mjs'
import { printTable } from './table.mjs'

const usual = [
  'seq',
  'conc',
  'batch',
  'pipe',
  'overlap',
  'sizes',
  'curve',
  'scan',
  'json',
  'get',
  'verify',
  'logs',
  'seed',
  'disk',
]
/** Minutes and tens of gigabytes: only when asked for. */
const long = ['large', 'reopen']
const { values: args } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
    only: { type: 'string' },
    without: { type: 'string', default: '' },
    dir: { type: 'string', default: join(import.meta.dirname, '.data') },
  },
})
const chosen = args.only?.split(',') ?? (args.all ? [...usual, ...long] : usual)
const unknown = chosen.find(name => !usual.includes(name) && !long.includes(name))
if (unknown !== undefined) throw new Error(`no workload ${unknown}: there are ${[...usual, ...long].join(', ')}`)
const without = new Set(args.without.split(','))
const data = join(args.dir, `varve-bench-${process.pid}`)

process.on('exit', () => rmSync(data, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))

const started = performance.now()
const machine = `${cpus()[0].model}, ${availableParallelism()} cores, ${process.platform} ${release()}`
console.log(`varve bench${args.quick ? ' (quick)' : ''}: ${machine}, Node ${process.versions.node}`)
console.log('256 B JSON events as Buffers; fsync before each acknowledgement; median (quartiles) of interleaved rounds')
const outcomes = []
for (const name of chosen) {
  const outcome = await runWorkload(name, { data, quick: args.quick, without })
  printTable(outcome)
  outcomes.push(outcome)
}
save(outcomes)

/** @param {object[]} outcomes */
function save(outcomes) {
  const folder = join(import.meta.dirname, 'results')
  const seconds = Math.round((performance.now() - started) / 1_000)
  const date = new Date().toISOString()
  const file = join(
    folder,
    `${date.replaceAll(':', '-').slice(0, 19)}${args.quick ? '-quick' : args.only ? '-part' : ''}.json`,
  )
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
