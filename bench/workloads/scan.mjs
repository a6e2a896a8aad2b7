/** Everything from the first record to the last, touching the bytes of each payload; files are in the page cache. */
import { performance } from 'node:perf_hooks'
import { fill } from '../batches.mjs'
import { ratio } from '../goals.mjs'

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'scan from start to end',
  unit: 'records/s',
  better: 'higher',
  // varve: chunk by chunk; varve-each: one record at a time.
  sides: ['varve', 'varve-each', 'lmdb', 'better-sqlite3', 'classic-level'],
  baseline: 'lmdb',
  goals: [
    ratio('varve in chunks / lmdb', ['varve', 'lmdb'], { min: 5 }),
    ratio('varve one by one / lmdb', ['varve-each', 'lmdb'], { min: 2 }),
  ],
  plan: quick => ({ rounds: quick ? 4 : 12, records: quick ? 40_000 : 200_000 }),

  async prepare({ store, events, plan }) {
    await fill(store, events, plan.records)
    return {}
  },

  async round({ store, plan, side }) {
    let records = 0
    let sum = 0
    const touch = (/** @type {Uint8Array} */ payload) => {
      records++
      sum += payload[0] + payload[payload.length >> 1] + payload[payload.length - 1]
    }
    const started = performance.now()
    if (side === 'varve') await store.scanChunks(touch)
    else await store.scan(touch)
    const seconds = (performance.now() - started) / 1_000
    if (records !== plan.records || sum === 0) throw new Error(`${side} read ${records} of ${plan.records} records`)
    return { value: records / seconds, records }
  },
}
