/** Large batches with four in flight: what an importer or a busy outbox does. */
import { appendBatches } from '../batches.mjs'
import { delayGoal, ratio } from '../goals.mjs'

const SIZE = 4_000

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'batches of 4,000, four in flight',
  unit: 'records/s',
  better: 'higher',
  // lz4: what one core compresses with lz4_flex in bodies of 16 KiB, and does nothing else.
  sides: ['varve', 'varve-none', 'lmdb', 'lz4'],
  baseline: 'lmdb',
  goals: [
    ratio('varve / lmdb', ['varve', 'lmdb'], { min: 2.2 }),
    ratio("varve / one core's lz4_flex", ['varve', 'lz4'], { min: 0.9 }),
    delayGoal('varve'),
    delayGoal('varve-none', ', no compression'),
  ],
  plan: quick => ({ rounds: quick ? 4 : 12, batches: quick ? 15 : 60 }),
  round({ store, events, plan: { batches } }) {
    if (store.run) return store.run('lz4', { body: 16 << 10, records: batches * SIZE })
    return appendBatches(store, events, { batches, size: SIZE, inFlight: 4 })
  },
}
