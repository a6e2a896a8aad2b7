/**
 * The Rust crate that the idea of two stages comes from, kimberlite-storage 0.9.1, called from Rust, against varve called
 * from Node: the same events in batches of 4,000. Its `append_batch_pipelined` takes one batch at a time.
 */
import { appendBatches } from '../batches.mjs'
import { ratio } from '../goals.mjs'

const SIZE = 4_000

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'batches of 4,000 against kimberlite-storage 0.9.1',
  unit: 'records/s',
  better: 'higher',
  sides: ['varve', 'varve-none', 'seed'],
  baseline: 'seed',
  goals: [
    // The seed does not compress either.
    ratio('varve without compression / seed', ['varve-none', 'seed'], { min: 6 }),
    ratio('varve with LZ4 / seed', ['varve', 'seed'], { min: 6 }),
  ],
  plan: quick => ({ rounds: quick ? 3 : 8, batches: quick ? 15 : 40 }),
  round({ store, events, dir, round, plan: { batches } }) {
    if (store.run) return store.run('seed', { dir: `${dir}/${round}`, size: SIZE, batches })
    return appendBatches(store, events, { batches, size: SIZE, inFlight: 4 })
  },
}
