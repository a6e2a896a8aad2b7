/** Records a second against the size of the batch, one in flight: what batching is worth. */
import { appendBatches } from '../batches.mjs'

/** How many of each size make some tens of milliseconds. */
const steps = [
  [1, 100],
  [4, 100],
  [16, 80],
  [64, 60],
  [256, 40],
  [1_024, 20],
  [4_096, 8],
  [16_384, 3],
]

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'batches of 1 to 16,384, one in flight; the figure is that of 1,024',
  unit: 'records/s',
  better: 'higher',
  sides: ['varve', 'varve-none', 'lmdb', 'better-sqlite3', 'classic-level'],
  baseline: 'lmdb',
  goals: [],
  plan: quick => ({ rounds: quick ? 2 : 5, warmUp: 1, share: quick ? 0.3 : 1 }),

  async round({ store, events, plan }) {
    /** @type {[number, number][]} */
    const points = []
    let records = 0
    for (const [size, most] of steps) {
      const batches = Math.ceil(most * plan.share)
      const round = await appendBatches(store, events, { batches, size, inFlight: 1 })
      points.push([size, round.value])
      records += round.records
    }
    return { value: points[steps.findIndex(([size]) => size === 1_024)][1], records, points }
  },
}
