/** Batches one after the other, each awaited: what a consumer that must acknowledge does. */
import { appendBatches } from '../batches.mjs'
import { ratio } from '../goals.mjs'

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'batches of 1,000, one in flight',
  unit: 'records/s',
  better: 'higher',
  sides: ['varve', 'lmdb', 'fs', 'better-sqlite3', 'classic-level'],
  baseline: 'lmdb',
  goals: [ratio('varve / lmdb', ['varve', 'lmdb'], { min: 2.5 })],
  plan: quick => ({ rounds: quick ? 4 : 12, batches: quick ? 15 : 40, size: 1_000, inFlight: 1 }),
  round: ({ store, events, plan }) => appendBatches(store, events, { batches: plan.batches, size: 1_000, inFlight: 1 }),
}
