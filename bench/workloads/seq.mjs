/** One record at a time, each awaited: what a request handler feels. */
import { performance } from 'node:perf_hooks'
import { ratio } from '../goals.mjs'
import { quantile } from '../statistics.mjs'

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'lone awaited append, p50',
  unit: 'µs',
  better: 'lower',
  // floor: write at the end + fdatasync; floor-filled: the same into zeros; round-trip: flush() of an idle log, which
  // goes to an engine thread and back and finds nothing to do.
  sides: ['varve', 'floor', 'floor-filled', 'round-trip', 'better-sqlite3', 'fs', 'lmdb', 'classic-level'],
  baseline: 'floor',
  goals: [
    ratio('varve / floor', ['varve', 'floor'], { max: 0.85 }),
    ratio('varve / better-sqlite3', ['varve', 'better-sqlite3'], { max: 1.2 }),
    {
      what: 'varve / (floor-filled + 1.3 × round-trip)',
      of: ['varve', 'floor-filled', 'round-trip'],
      value: ({ varve, 'floor-filled': filled, 'round-trip': trip }) => varve.value / (filled.value + 1.3 * trip.value),
      unit: '×',
      max: 1,
    },
  ],
  // Short rounds: a disk's mood changes within a second, and the sides should share each one.
  plan: quick => ({ rounds: quick ? 6 : 30, warmUp: quick ? 1 : 2, appends: quick ? 80 : 200 }),

  /** Bytes that varve stores for one record, for the floors to write. */
  async prepare({ side, store, events }) {
    if (side === 'round-trip') await store.append(events[0])
    if (side !== 'varve' || !store.log) return {}
    const count = 64
    const before = store.log.stats().storedBytes
    for (let index = 0; index < count; index++) await store.append(events[index])
    return { bytes: Math.round((store.log.stats().storedBytes - before) / count) }
  },

  async round({ side, store, events, plan, round }) {
    const { log } = store
    const append = side === 'round-trip' && log ? () => log.flush() : store.append
    const micros = []
    for (let index = 0; index < plan.appends; index++) {
      const started = performance.now()
      const pending = append(events[(round * plan.appends + index) % events.length])
      // The floors are synchronous: awaiting `undefined` would charge them for a turn of the microtask queue.
      if (pending) await pending
      micros.push((performance.now() - started) * 1_000)
    }
    const extra = { 'p99 µs': quantile(micros, 0.99) }
    return { value: quantile(micros, 0.5), records: plan.appends, extra, samples: micros }
  },
}
