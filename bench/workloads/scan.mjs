/** Everything from the first record to the last, touching the bytes of each payload; files are in the page cache. */
import { performance } from 'node:perf_hooks'

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'scan from start to end',
  unit: 'records/s',
  better: 'higher',
  // varve: chunk by chunk; varve-each: one record at a time.
  sides: ['varve', 'varve-each', 'lmdb', 'better-sqlite3', 'classic-level'],
  baseline: 'lmdb',
  goals: [
    {
      what: 'varve in chunks / lmdb',
      of: ['varve', 'lmdb'],
      value: ({ varve, lmdb }) => varve.value / lmdb.value,
      unit: '×',
      min: 5,
    },
    {
      what: 'varve one by one / lmdb',
      of: ['varve-each', 'lmdb'],
      value: ({ 'varve-each': varve, lmdb }) => varve.value / lmdb.value,
      unit: '×',
      min: 2,
    },
  ],
  plan: quick => ({ rounds: quick ? 4 : 12, records: quick ? 40_000 : 200_000 }),

  async prepare({ store, events, plan }) {
    for (let start = 0; start < plan.records; start += 4_000) {
      const count = Math.min(4_000, plan.records - start)
      await store.appendBatch(Array.from({ length: count }, (_, index) => events[(start + index) % events.length]))
    }
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
