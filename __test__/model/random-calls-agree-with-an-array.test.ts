import fc from 'fast-check'
import { test } from 'vitest'
import { open, openMemory } from '../../lib/index.js'
import { newPath } from '../support/temp.js'
import { facts } from './judge.js'
import { type Place, run } from './run.js'
import { program } from './steps.js'

// Replay what a failure prints: VARVE_SEED=… VARVE_PATH=… npm test -- random-calls (VARVE_RUNS=10000 runs more).
const seed = Number(process.env.VARVE_SEED ?? 20261123)
const path = process.env.VARVE_PATH
const runs = (fallback: number) => Number(process.env.VARVE_RUNS ?? fallback)

const inMemory = (): Place => ({ open: options => openMemory(options as any), lasting: false })

const onDisk = (): Place => {
  const dir = newPath()
  return {
    open: options => open(dir, options as any),
    follow: options => open(dir, { ...options, readOnly: true } as any),
    lasting: true,
  }
}

test.each([
  ['in memory', inMemory, runs(600)],
  ['on disk', onDisk, runs(80)],
] as const)(
  'random calls on a log %s do what they do to an array',
  { timeout: 30_000 + runs(200) * 1_000 },
  async (_, place, numRuns) => {
    console.log(`random-calls-agree-with-an-array: VARVE_SEED=${seed} VARVE_RUNS=${numRuns}`)
    const property = fc.asyncProperty(program, given => run(given, place()))
    await fc.assert(property, { seed, numRuns, ...(path !== undefined && { path, endOnFailure: true }) })
    console.log(JSON.stringify(facts))
  },
)
