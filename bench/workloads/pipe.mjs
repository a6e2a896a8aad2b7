/** Large batches with four in flight: what an importer or a busy outbox does. */
import { appendBatches } from './batches.mjs'

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'batches of 4,000, four in flight',
  unit: 'records/s',
  better: 'higher',
  sides: ['varve', 'varve-none', 'lmdb'],
  baseline: 'lmdb',
  target: { ratioMin: 2 },
  plan: quick => ({ rounds: quick ? 4 : 12, batches: quick ? 15 : 40, size: 4_000, inFlight: 4 }),
  round: appendBatches,
}
