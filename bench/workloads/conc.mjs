/** A thousand writers, each awaiting its own append: a server under load. Group commit decides. */
import { performance } from 'node:perf_hooks'

/** @type {import('../types.d.ts').Workload} */
export default {
  title: '1,000 writers, one append in flight each',
  unit: 'records/s',
  better: 'higher',
  // better-sqlite3 is synchronous: a thousand writers are one writer, which `seq` shows.
  sides: ['varve', 'lmdb', 'classic-level'],
  baseline: 'lmdb',
  plan: quick => ({ rounds: quick ? 4 : 12, writers: 1_000, appends: quick ? 20 : 60 }),

  async round({ store, events, plan, side }) {
    // LevelDB syncs on four threads of a pool and is 100 times slower here: a smaller share keeps the run short.
    const appends = side === 'classic-level' ? Math.ceil(plan.appends / 20) : plan.appends
    const writer = async (/** @type {number} */ number) => {
      for (let index = 0; index < appends; index++) await store.append(events[(number * 16 + index) % events.length])
    }
    const started = performance.now()
    await Promise.all(Array.from({ length: plan.writers }, (_, number) => writer(number)))
    const seconds = (performance.now() - started) / 1_000
    const records = plan.writers * appends
    return { value: records / seconds, records }
  },
}
