/** Random records by their offset, 100 in flight, on a warm log; lmdb reads from its map without waiting. */
import { performance } from 'node:perf_hooks'
import { fill } from '../batches.mjs'
import { figure } from '../goals.mjs'

const IN_FLIGHT = 100

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'random gets, 100 in flight',
  unit: 'gets/s',
  better: 'higher',
  // varve: the default cache, 8 MiB, which holds 3 % of the frames; varve-cached: one that holds all of them.
  sides: ['varve', 'varve-cached', 'lmdb', 'better-sqlite3', 'classic-level'],
  baseline: 'lmdb',
  goals: [figure('varve', 'varve', 'gets/s', { min: 200_000 })],
  plan: quick => ({
    rounds: quick ? 3 : 8,
    warmUp: 1,
    records: quick ? 100_000 : 1_000_000,
    gets: quick ? 20_000 : 100_000,
  }),

  async prepare({ store, events, plan }) {
    await fill(store, events, plan.records)
    return {}
  },

  async round({ store: { get }, plan, round }) {
    let state = round + 1
    const next = () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 4_294_967_296) * plan.records)
    }
    let sum = 0
    const reader = async () => {
      for (let count = 0; count < plan.gets / IN_FLIGHT; count++) {
        const payload = await get(next())
        sum += payload[0]
      }
    }
    const started = performance.now()
    await Promise.all(Array.from({ length: IN_FLIGHT }, reader))
    const seconds = (performance.now() - started) / 1_000
    if (sum !== plan.gets * '{'.charCodeAt(0)) throw new Error('a get did not give an event')
    return { value: plan.gets / seconds, records: plan.gets }
  },
}
