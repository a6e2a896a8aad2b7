/**
 * `varve bench`: what this disk gives, and what varve takes of it. Each round measures the floor (the same bytes by write and
 * fdatasync, nothing else) and varve one after the other, so that both meet the same disk; figures are medians of rounds.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Log, open } from 'varve'
import { command, wholeNumber } from '../support/command.js'
import { EXIT, Misuse } from '../support/failure.js'
import { Progress } from '../support/progress.js'
import type { Screen } from '../support/screen.js'
import { duration, grouped, size } from '../support/words.js'

const RECORD_BYTES = 256
const TOGETHER = 1_000
const ROUNDS = 4
const PHASES = 5

/** What one round measured: microseconds of one append, records a second of many, bytes a second read. */
interface Round {
  floorMicros: number
  varveMicros: number
  floorMany: number
  varveMany: number
  readBytes: number
}

export const bench = command({
  name: 'bench',
  summary: 'measure this disk: plain write and fdatasync beside varve',
  usage: '[DIR]',
  args: [0, 1],
  options: {
    seconds: { type: 'string', value: 'N', help: 'how long to measure; default 20' },
  },
  notes: [
    'Works in a new folder in DIR (default: here), which is removed at the end; use a DIR on the disk that will hold the log. Other work on the machine disturbs the figures, and the ratios less than the rest.',
  ],
  examples: [
    ['varve bench /var/lib', 'twenty seconds on the disk of /var/lib'],
    ['varve bench --seconds 4 --json', 'a quick look, for a program'],
  ],
  async run({ args, given, screen, stop }) {
    const parent = resolve(args[0] ?? '.')
    if (!statSync(parent).isDirectory()) throw new Misuse(`${parent} is not a folder`)
    const seconds = wholeNumber('--seconds', given.seconds, 1) ?? 20
    const phaseMs = (seconds * 1000) / ROUNDS / PHASES
    const dir = mkdtempSync(join(parent, '.varve-bench-'))
    const started = performance.now()
    const progress = new Progress(screen, given.json === true, 'bench', () => ({
      part: (performance.now() - started) / (seconds * 1000),
      facts: [],
    }))
    const rounds: Round[] = []
    try {
      for (let number = 0; number < ROUNDS; number++) {
        rounds.push(await round(join(dir, String(number)), phaseMs, stop.signal))
      }
    } finally {
      progress.end()
      rmSync(dir, { recursive: true, force: true })
    }
    const result = Object.fromEntries(
      Object.keys(rounds[0]!).map(key => [key, median(rounds.map(round => round[key as keyof Round]))]),
    ) as unknown as Round
    const ratios = {
      one: median(rounds.map(round => round.varveMicros / round.floorMicros)),
      many: median(rounds.map(round => round.varveMany / round.floorMany)),
    }
    if (given.json) screen.json({ recordBytes: RECORD_BYTES, together: TOGETHER, rounds: ROUNDS, ...result, ratios })
    else print(screen, result, ratios)
    return EXIT.done
  },
})

async function round(path: string, phaseMs: number, signal: AbortSignal): Promise<Round> {
  const record = Buffer.alloc(RECORD_BYTES, '{"actor":"ada","action":"read"} ')
  const fd = openSync(`${path}.floor`, 'w')
  const log = await open(path)
  try {
    const floorOne = await repeated(phaseMs, signal, () => {
      writeSync(fd, record)
      fdatasyncSync(fd)
    })
    const varveOne = await repeated(phaseMs, signal, () => log.append(record))
    const block = Buffer.concat(Array.from({ length: TOGETHER }, () => record))
    const floorMany = await repeated(phaseMs, signal, () => {
      writeSync(fd, block)
      fdatasyncSync(fd)
    })
    // Each writer has one append in flight, so batches form by themselves.
    const varveMany = await writers(log, record, phaseMs, signal)
    return {
      floorMicros: median(floorOne),
      varveMicros: median(varveOne),
      floorMany: (TOGETHER * 1e6) / median(floorMany),
      varveMany,
      readBytes: await reading(log, phaseMs, signal),
    }
  } finally {
    closeSync(fd)
    await log.close()
  }
}

/** Microseconds of each run of `work`, for `ms`. */
async function repeated(ms: number, signal: AbortSignal, work: () => unknown): Promise<number[]> {
  const micros: number[] = []
  const end = performance.now() + ms
  let turn = performance.now()
  for (let before = turn; before < end || micros.length === 0; ) {
    signal.throwIfAborted()
    await work()
    const now = performance.now()
    micros.push((now - before) * 1000)
    // A signal is heard between two turns of the event loop.
    if (now - turn > 50) {
      await new Promise(setImmediate)
      turn = performance.now()
    }
    before = performance.now()
  }
  return micros
}

/** Records a second of `TOGETHER` writers. */
async function writers(log: Log<Uint8Array>, record: Uint8Array, ms: number, signal: AbortSignal): Promise<number> {
  const started = performance.now()
  let count = 0
  const writer = async () => {
    while (performance.now() - started < ms && !signal.aborted) {
      await log.append(record)
      count++
    }
  }
  await Promise.all(Array.from({ length: TOGETHER }, writer))
  signal.throwIfAborted()
  return (count * 1000) / (performance.now() - started)
}

/** Payload bytes a second of reading the log over and over, in chunks. */
async function reading(log: Log<Uint8Array>, ms: number, signal: AbortSignal): Promise<number> {
  const started = performance.now()
  let records = 0
  do {
    for await (const { length } of log.read({ signal }).chunks()) records += length
  } while (performance.now() - started < ms)
  return (records * RECORD_BYTES * 1000) / (performance.now() - started)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function print(screen: Screen, result: Round, ratios: { one: number; many: number }): void {
  const row = (name: string, floor: string, varve: string, ratio: string) =>
    screen.line(`${name.padEnd(30)}  ${floor.padStart(14)}  ${varve.padStart(14)}  ${ratio}`.trimEnd())
  row(`${RECORD_BYTES}-byte records, durable`, 'write+fdatasync', 'varve', 'varve / floor')
  const [one, many] = [ratios.one.toFixed(2), ratios.many.toFixed(2)]
  row(
    'one at a time, p50',
    duration(result.floorMicros / 1000),
    duration(result.varveMicros / 1000),
    `${one}× the time`,
  )
  row(
    `${grouped(TOGETHER)} at once`,
    `${grouped(result.floorMany)}/s`,
    `${grouped(result.varveMany)}/s`,
    `${many}× the rate`,
  )
  row('reading, in chunks', '', `${size(result.readBytes)}/s`, '')
}
