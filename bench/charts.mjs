/**
 * `node bench/charts.mjs [RESULT.json]`: what the README and docs/PERFORMANCE.md show, from one run (by default the newest
 * full one): the charts in docs/charts/, the tables in the README and docs/PERFORMANCE.md, and the figures in
 * bench/charts/run.json, from which all of it can be made again.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { bars } from './charts/bars.mjs'
import { lines } from './charts/lines.mjs'
import { summary } from './charts/summary.mjs'
import { number, verdict } from './table.mjs'

/**
 * @typedef {import('./types.d.ts').Outcome} Outcome
 * @typedef {Extract<import('./types.d.ts').Result, { left?: undefined }>} Measured
 */

const root = join(import.meta.dirname, '..')
const folder = join(root, 'docs/charts')
const file = process.argv[2] ?? newest()
const run = JSON.parse(readFileSync(file, 'utf8'))
const note = `${run.machine}, Node ${run.node}; ${run.date.slice(0, 10)}, commit ${run.commit}`
/** @type {(name: string) => Outcome | undefined} */
const outcome = name => run.workloads.find((/** @type {Outcome} */ workload) => workload.name === name)

mkdirSync(folder, { recursive: true })
save('workloads.svg', workloads())
save('batch-size.svg', batchSize())
save('latency.svg', latency())
save('scaling.svg', scaling())
const figures = { ...run, workloads: run.workloads.map(bare) }
writeFileSync(join(import.meta.dirname, 'charts/run.json'), `${JSON.stringify(figures)}\n`)
put('docs/PERFORMANCE.md', 'goals', goals())
put('README.md', 'bench', summary(outcome))

function workloads() {
  const peers = ['lmdb', 'better-sqlite3', 'classic-level', 'fs']
  const groups = [
    { name: 'conc', heading: '1,000 writers, one append in flight each', sides: ['varve', ...peers] },
    { name: 'batch', heading: 'batches of 1,000, one in flight', sides: ['varve', ...peers] },
    { name: 'pipe', heading: 'batches of 4,000, four in flight', sides: ['varve', 'varve-none', ...peers] },
    {
      name: 'scan',
      heading: 'scan from start to end (varve: in chunks, and one by one)',
      sides: ['varve', 'varve-each', ...peers],
    },
  ]
  return bars(
    {
      title: 'Records a second, fsync before each acknowledgement, as multiples of lmdb',
      note,
    },
    groups.flatMap(({ name, ...group }) => {
      const found = outcome(name)
      return found ? [{ outcome: found, ...group }] : []
    }),
  )
}

function batchSize() {
  return lines({ title: 'Throughput against the size of a batch, one in flight', note }, [
    {
      x: { title: 'records in a batch', log: true, ticks: [1, 4, 16, 64, 256, 1_024, 4_096, 16_384], format: number },
      y: { title: 'records/s', log: true },
      series: series(
        'curve',
        ['varve', 'varve-none', 'lmdb', 'better-sqlite3', 'classic-level'],
        ({ points }) => points,
      ),
      dots: true,
    },
  ])
}

function latency() {
  const sides = ['varve', 'floor', 'floor-filled', 'better-sqlite3', 'fs', 'lmdb', 'classic-level']
  // On a scale where each nine takes as much room as the one before.
  const nines = (/** @type {number} */ fraction) => -Math.log10(1 - fraction)
  return lines({ title: 'Latency of a lone awaited append', note }, [
    {
      x: {
        title: 'share of appends that took at most so long',
        log: false,
        ticks: [0, 0.5, 0.9, 0.99, 0.999].map(nines),
        format: value => `${Number(((1 - 10 ** -value) * 100).toFixed(1))} %`,
      },
      y: { title: 'microseconds', log: true },
      series: series('seq', sides, ({ distribution }) =>
        distribution?.map(([fraction, value]) => [nines(fraction), value]),
      ),
      dots: false,
    },
  ])
}

function scaling() {
  const bytes = (/** @type {number} */ value) =>
    value < 1_024 ? `${value} B` : value < 1 << 20 ? `${value / 1_024} KiB` : '1 MiB'
  const sizes = Object.entries(outcome('sizes')?.sides ?? {}).flatMap(([side, result]) => {
    const [name, size] = side.split('@')
    return name === 'varve' && result.left === undefined ? [[Number(size), result.value.median]] : []
  })
  const plan = outcome('large')?.plan
  const gigabytes = plan ? (plan.batches * 4_000 * 256) / 1e9 : 0
  const flow = series('large', ['varve-none', 'device', 'lmdb'], ({ rounds }) =>
    rounds.map(({ value }, index) => [(index + 1 + (plan?.warmUp ?? 0)) * gigabytes, (value * 256) / 1e6]),
  )
  const panels = [
    {
      x: { title: 'payload', log: true, ticks: [16, 256, 4_096, 65_536, 1 << 20], format: bytes },
      y: { title: 'MB/s, LZ4', log: true },
      series: [{ side: 'varve', points: /** @type {[number, number][]} */ (sizes) }],
      dots: true,
    },
    {
      x: { title: 'GB appended', log: false },
      y: { title: 'MB/s, no compression', log: false },
      series: flow,
      dots: false,
    },
  ]
  const shown = panels.filter(({ series }) => series.some(({ points }) => points.length > 0))
  return lines({ title: 'Payload size, and a log that grows', note }, shown)
}

/**
 * @param {string} name
 * @param {string[]} sides
 * @param {(result: Measured) => [number, number][] | undefined} points
 */
function series(name, sides, points) {
  const found = outcome(name)?.sides ?? {}
  return sides.flatMap(side => {
    const result = found[side]
    if (result === undefined || result.left !== undefined) return []
    return [{ side, points: points(result) ?? [] }]
  })
}

/**
 * Without the rounds, but for the values of those that a chart shows: it can be drawn from these figures again.
 *
 * @param {Outcome} outcome
 */
function bare({ sides, ...rest }) {
  const charted = rest.name === 'large'
  const results = Object.entries(sides).map(([side, result]) => {
    const rounds = charted && result.left === undefined ? result.rounds.map(({ value }) => ({ value })) : undefined
    return [side, { ...result, rounds }]
  })
  return { ...rest, sides: Object.fromEntries(results) }
}

function goals() {
  const rows = run.workloads.flatMap((/** @type {Outcome} */ { name, goals, othersShare }) =>
    goals.map(goal => {
      const { bound, judged } = verdict(goal, othersShare)
      const { value } = goal
      const figure = value ? `${number(value.median)} (${number(value.low)} to ${number(value.high)})` : '–'
      return `| \`${name}\` | ${goal.what} | ${bound} | ${figure} | ${judged} |`
    }),
  )
  return ['| workload | what | goal | median (quartiles) | |', '| --- | --- | --- | --- | --- |', ...rows].join('\n')
}

/**
 * Replaces what stands between two comments of a page.
 *
 * @type {(page: string, name: string, content: string) => void}
 */
function put(page, name, content) {
  const file = join(root, page)
  const text = readFileSync(file, 'utf8')
  const [before, rest] = text.split(`<!-- ${name} -->\n`)
  const after = rest?.split(`<!-- /${name} -->`)[1]
  if (after === undefined) throw new Error(`there is no place for ${name} in ${page}`)
  writeFileSync(file, `${before}<!-- ${name} -->\n\n${content}\n\n${note}.\n\n<!-- /${name} -->${after}`)
}

function newest() {
  const results = join(import.meta.dirname, 'results')
  const full = readdirSync(results)
    .filter(name => !/-(quick|part)\.json$/.test(name))
    .sort()
  const last = full.at(-1)
  if (last === undefined) throw new Error('there is no full run yet: npm run bench -- --all')
  return join(results, last)
}

/** @type {(name: string, content: string) => void} */
function save(name, content) {
  writeFileSync(join(folder, name), content)
  console.log(relative(process.cwd(), join(folder, name)))
}
