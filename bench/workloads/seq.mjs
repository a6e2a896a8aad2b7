/** One record at a time, each awaited: what a request handler feels. */
import { performance } from 'node:perf_hooks'
import { quantile } from '../statistics.mjs'

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'lone awaited append, p50',
  unit: 'µs',
  better: 'lower',
  sides: ['varve', 'floor', 'fs', 'lmdb', 'better-sqlite3', 'classic-level'],
  baseline: 'floor',
  target: { ratioMax: 1.2 },
  // Short rounds: a disk's mood changes within a second, and the sides should share each one.
  plan: quick => ({ rounds: quick ? 8 : 30, appends: quick ? 100 : 200 }),

  /** Bytes that varve stores for one record, for the floor to write. */
  async prepare({ store, events }) {
    if (!store.storedBytes) return {}
    const count = 64
    const before = store.storedBytes()
    for (let index = 0; index < count; index++) await store.append(events[index])
    return { storeOptions: { bytes: Math.round((store.storedBytes() - before) / count) } }
  },

  async round({ store, events, plan, round }) {
    const micros = []
    for (let index = 0; index < plan.appends; index++) {
      const started = performance.now()
      const pending = store.append(events[(round * plan.appends + index) % events.length])
      // The floor is synchronous: awaiting `undefined` would charge it for a turn of the microtask queue.
      if (pending) await pending
      micros.push((performance.now() - started) * 1_000)
    }
    return { value: quantile(micros, 0.5), p99: quantile(micros, 0.99), records: plan.appends }
  },
}
