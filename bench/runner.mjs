/**
 * Runs one workload. Sides take turns (A B C, C B A, …) so that a slow moment of the machine falls on all of them, and
 * every ratio is taken within a round; the median of those ratios is what counts.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { exchange } from './peers/native.mjs'
import { distribution, summarize } from './statistics.mjs'
import { coresMicros } from './system.mjs'

const WARM_UP = 2 // rounds that are thrown away: cold code, and memory that the machine touches for the first time

/**
 * @typedef {{ name: string, child: ChildProcess, rounds: import('./types.d.ts').MeasuredRound[], left?: string }} Side
 * @typedef {import('node:child_process').ChildProcess} ChildProcess
 */

/** @type {Set<ChildProcess>} */
const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/**
 * @param {string} name
 * @param {{ data: string, quick: boolean, without: Set<string> }} options
 * @returns {Promise<import('./types.d.ts').Outcome>}
 */
export async function runWorkload(name, { data, quick, without }) {
  const started = performance.now()
  /** @type {{ default: import('./types.d.ts').Workload }} */
  const { default: workload } = await import(`./workloads/${name}.mjs`)
  const plan = workload.plan(quick)
  /** @type {Side[]} */
  const sides = []
  let found = {}
  // All processes at once, so that they load side by side; then each prepares, one after the other.
  sides.push(...workload.sides.filter(side => !without.has(side)).map(startSide))
  for (const entry of sides) {
    const side = entry.name
    const dir = join(data, `${name}-${side}`)
    mkdirSync(data, { recursive: true })
    const message = { command: 'start', workload: name, side, dir, plan, found }
    const { result, error } = await ask(entry.child, message)
    if (error) entry.left = error
    else found = { ...found, ...result }
  }
  const exchanged = [exchange()]
  const busy = await runRounds(sides, plan)
  exchanged.push(exchange())
  const othersShare = workload.spawns ? 0 : busy
  for (const { child } of sides) await stopSide(child)
  rmSync(data, { recursive: true, force: true })

  const { title, unit, better, baseline } = workload
  const results = withRatios(sides, baseline)
  const goals = workload.goals.map(goal => judge(goal, sides))
  const seconds = (performance.now() - started) / 1_000
  return { name, title, unit, better, baseline, plan, found, othersShare, exchanged, seconds, sides: results, goals }
}

/**
 * @param {Side[]} sides
 * @param {import('./types.d.ts').Plan} plan
 */
async function runRounds(sides, plan) {
  const cpu = { own: 0, all: 0, available: 0 }
  const warmUp = plan.warmUp ?? WARM_UP
  for (let round = 0; round < warmUp + plan.rounds; round++) {
    const running = sides.filter(side => side.left === undefined)
    for (const entry of round % 2 ? running.reverse() : running) {
      const before = coresMicros()
      const { result, error } = await ask(entry.child, { command: 'round', round })
      if (error) entry.left = error
      if (error || round < warmUp) continue
      const after = coresMicros()
      cpu.own += result.ownMicros
      cpu.all += after.busy - before.busy
      cpu.available += after.total - before.total
      entry.rounds.push(result)
    }
  }
  return (cpu.all - cpu.own) / cpu.available
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
      const samples = rounds.flatMap(round => round.samples ?? [])
      for (const round of rounds) delete round.samples
      return [
        name,
        {
          value: summarize(values),
          ratio,
          cpuMicros,
          extra: medians(rounds.map(round => round.extra ?? {})),
          distribution: samples.length > 0 ? distribution(samples) : undefined,
          points: curve(rounds),
          rounds,
        },
      ]
    }),
  )
}

/** @param {Record<string, number>[]} extras */
function medians(extras) {
  const names = Object.keys(extras[0] ?? {})
  return Object.fromEntries(names.map(name => [name, summarize(extras.map(extra => extra[name])).median]))
}

/**
 * The median curve.
 *
 * @param {import('./types.d.ts').Round[]} rounds
 * @returns {[number, number][] | undefined}
 */
function curve(rounds) {
  return rounds[0]?.points?.map(([x], index) => [
    x,
    summarize(rounds.map(({ points = [] }) => points[index][1])).median,
  ])
}

/**
 * @param {import('./types.d.ts').Goal} goal
 * @param {Side[]} sides
 * @returns {import('./types.d.ts').Verdict}
 */
function judge({ what, of, value, unit, min, max }, sides) {
  const present = sides.filter(side => side.left === undefined)
  const missing = of.find(name => !present.some(side => side.name === name))
  if (missing !== undefined) return { what, unit, min, max, left: `${missing} is missing` }
  const rounds = present[0].rounds.map((_, index) =>
    [value(Object.fromEntries(present.map(({ name, rounds }) => [name, rounds[index]])))].flat(),
  )
  // The least of the medians, not the median of the least: that one would be the noise of a round.
  const figures = rounds[0].map((_, at) => summarize(rounds.map(figures => figures[at])))
  const spread = figures.reduce((least, figure) => (figure.median < least.median ? figure : least))
  return {
    what,
    unit,
    min,
    max,
    value: spread,
    met: spread.median >= (min ?? -Infinity) && spread.median <= (max ?? Infinity),
  }
}

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
