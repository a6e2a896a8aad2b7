/** Everything recomputed from the files, which are in the page cache: bytes of payload a second, on all cores. */
import { performance } from 'node:perf_hooks'
import { figure } from '../goals.mjs'

const BATCH_BYTES = 1 << 20

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'verify a log',
  unit: 'MB/s',
  better: 'higher',
  sides: ['varve@256', 'varve@16384', 'varve-none@256', 'varve-none@16384'],
  baseline: 'varve@256',
  goals: [
    figure('256 B', 'varve@256', 'MB/s', { min: 2_000 }),
    figure('16 KiB', 'varve@16384', 'MB/s', { min: 3_000 }),
  ],
  plan: quick => ({ rounds: quick ? 3 : 8, warmUp: 1, mebibytes: quick ? 64 : 512 }),

  async prepare({ side, store, events, plan }) {
    const size = Number(side.split('@')[1])
    const all = Buffer.concat([...events, ...events])
    for (let batch = 0; batch < plan.mebibytes; batch++) {
      const start = (batch * 41 * 256) % (all.length / 2)
      const count = BATCH_BYTES / size
      await store.appendBatch(
        Array.from({ length: count }, (_, index) => all.subarray(start + index * size, start + (index + 1) * size)),
      )
    }
    await store.log?.flush()
    return {}
  },

  async round({ side, store: { log }, plan }) {
    if (!log) throw new Error('only varve can verify')
    const started = performance.now()
    const report = await log.verify()
    const seconds = (performance.now() - started) / 1_000
    if (!report.ok) throw new Error(`the log is damaged: ${report.problems[0].message}`)
    const bytes = plan.mebibytes * BATCH_BYTES
    return { value: bytes / 1e6 / seconds, records: bytes / Number(side.split('@')[1]) }
  },
}
