/** The README's table: what a user would ask first, each as a ratio within one run. */
import { number } from '../table.mjs'

/**
 * @typedef {import('../types.d.ts').Outcome} Outcome
 * @typedef {Extract<import('../types.d.ts').Result, { left?: undefined }>} Measured
 * @typedef {(outcome: Outcome) => string | undefined} Cell
 */

/** @type {{ name: string, work: string, varve: Cell, against: string }[]} */
const rows = [
  {
    name: 'seq',
    work: 'one writer awaits each append, p50',
    varve: outcome => join(goal(outcome, 0, ''), goal(outcome, 1, ' the time')),
    against: 'the same bytes by `fs.writeSync` + `fs.fdatasyncSync`; better-sqlite3, in the same thread',
  },
  {
    name: 'conc',
    work: '1,000 writers, one append in flight each',
    varve: fast('varve'),
    against: 'lmdb, `await db.flushed`',
  },
  { name: 'batch', work: 'batches of 1,000, one in flight', varve: fast('varve'), against: 'lmdb' },
  {
    name: 'pipe',
    work: 'batches of 4,000, four in flight: LZ4; no compression',
    varve: fast('varve', 'varve-none'),
    against: 'lmdb, which does not compress',
  },
  {
    name: 'seed',
    work: 'the same from Node: LZ4; no compression',
    varve: fast('varve', 'varve-none'),
    against: 'the Rust crate kimberlite-storage 0.9.1, from Rust, which does not compress',
  },
  { name: 'scan', work: 'scan: in chunks; one by one', varve: fast('varve', 'varve-each'), against: 'lmdb `getRange`' },
  {
    name: 'json',
    work: 'all values of a log of JSON',
    varve: outcome => goal(outcome, 0, ' the time'),
    against: '`JSON.parse` alone',
  },
  {
    name: 'get',
    work: 'random `get`, 100 in flight: cache of 8 MiB; one that holds the log',
    varve: outcome => join(value(outcome, 'varve', 'gets/s'), fast('varve', 'varve-cached')(outcome)),
    against: 'lmdb, whose `get` is synchronous, from its map',
  },
  {
    name: 'verify',
    work: '`verify`: payloads of 256 B; of 16 KiB',
    varve: outcome => join(value(outcome, 'varve@256', 'MB/s'), value(outcome, 'varve@16384', 'MB/s')),
    against: '',
  },
  {
    name: 'reopen',
    work: '`open` of 10 GB: closed; after a kill',
    varve: outcome => join(goal(outcome, 0, ' ms'), goal(outcome, 1, ' ms')),
    against: '',
  },
  { name: 'large', work: 'resident memory while 10 GB pass', varve: outcome => goal(outcome, 1, ' MB'), against: '' },
  {
    name: 'disk',
    work: 'bytes on disk a payload byte',
    varve: outcome => value(outcome, 'varve', ''),
    against: 'lmdb takes 1.15',
  },
]

/** @param {(name: string) => Outcome | undefined} outcomeOf */
export function summary(outcomeOf) {
  const lines = rows.flatMap(({ name, work, varve, against }) => {
    const outcome = outcomeOf(name)
    const figure = outcome && varve(outcome)
    return figure ? [`| ${work} | ${figure} | ${against} |`] : []
  })
  return ['| `npm run bench`, 256 B JSON events | varve | against |', '| --- | --- | --- |', ...lines].join('\n')
}

/** How many times as fast as the baseline. @type {(...sides: string[]) => Cell} */
function fast(...sides) {
  return ({ sides: all }) => {
    const ratios = sides.map(side => measured(all[side])?.ratio)
    if (ratios.includes(undefined)) return undefined
    return `${ratios.map(ratio => `${number(ratio?.median ?? Number.NaN)}×`).join('; ')} as fast`
  }
}

/** @type {(outcome: Outcome, index: number, unit: string) => string | undefined} */
function goal({ goals }, index, unit) {
  const { value, unit: own } = goals[index]
  return value && `${number(value.median)}${own === '×' ? '×' : ''}${unit}`
}

/** @type {(outcome: Outcome, side: string, unit: string) => string | undefined} */
function value({ sides }, side, unit) {
  const result = measured(sides[side])
  return result && `${number(result.value.median)} ${unit}`.trim()
}

/** @param {import('../types.d.ts').Result | undefined} result */
function measured(result) {
  return result?.left === undefined ? result : undefined
}

/** @param {(string | undefined)[]} parts */
function join(...parts) {
  return parts.filter(part => part !== undefined).join('; ')
}
