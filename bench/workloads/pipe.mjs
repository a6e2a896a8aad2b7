/** Large batches with four in flight: what an importer or a busy outbox does. */
import { appendBatches } from '../batches.mjs'

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
    {
      what: 'varve / lmdb',
      of: ['varve', 'lmdb'],
      value: ({ varve, lmdb }) => varve.value / lmdb.value,
      unit: '×',
      min: 2.2,
    },
    {
      what: "varve / one core's lz4_flex",
      of: ['varve', 'lz4'],
      value: ({ varve, lz4 }) => varve.value / lz4.value,
      unit: '×',
      min: 0.9,
    },
    {
      what: 'event loop delay p99',
      of: ['varve'],
      value: ({ varve }) => varve.extra?.['event loop p99 ms'] ?? Number.NaN,
      unit: 'ms',
      max: 2,
    },
    {
      what: 'event loop delay p99, no compression',
      of: ['varve-none'],
      value: ({ 'varve-none': varve }) => varve.extra?.['event loop p99 ms'] ?? Number.NaN,
      unit: 'ms',
      max: 2,
    },
  ],
  plan: quick => ({ rounds: quick ? 4 : 12, batches: quick ? 15 : 60 }),
  round({ store, events, plan: { batches } }) {
    if (store.run) return store.run('lz4', { body: 16 << 10, records: batches * SIZE })
    return appendBatches(store, events, { batches, size: SIZE, inFlight: 4 })
  },
}
