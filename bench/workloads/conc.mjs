/** A thousand writers, each awaiting its own append: a server under load. Group commit decides. */
import { performance } from 'node:perf_hooks'
import { watchDelay } from '../delay.mjs'
import { delayGoal, ratio } from '../goals.mjs'
import { mainThreadNanos } from '../system.mjs'

/** @type {import('../types.d.ts').Workload} */
export default {
  title: '1,000 writers, one append in flight each',
  unit: 'records/s',
  better: 'higher',
  // better-sqlite3 is synchronous: a thousand writers are one writer, which `seq` shows. promise: no store at all.
  sides: ['varve', 'lmdb', 'classic-level', 'promise'],
  baseline: 'lmdb',
  goals: [
    ratio('varve / lmdb', ['varve', 'lmdb'], { min: 2.5 }),
    {
      what: 'main thread of varve / of promises made and resolved',
      of: ['varve', 'promise'],
      value: ({ varve, promise }) => nanos(varve) / nanos(promise),
      unit: '×',
      max: 3,
    },
    delayGoal('varve'),
  ],
  plan: quick => ({ rounds: quick ? 3 : 12, writers: 1_000, appends: quick ? 60 : 200 }),

  async round({ store, events, plan, side }) {
    // LevelDB syncs on four threads of a pool and is 100 times slower here: a smaller share keeps the run short.
    const appends = side === 'classic-level' ? Math.ceil(plan.appends / 60) : plan.appends
    const writer = async (/** @type {number} */ number) => {
      for (let index = 0; index < appends; index++) await store.append(events[(number * 16 + index) % events.length])
    }
    const delay = store.log && watchDelay()
    const nanosBefore = await mainThreadNanos()
    const started = performance.now()
    await Promise.all(Array.from({ length: plan.writers }, (_, number) => writer(number)))
    const seconds = (performance.now() - started) / 1_000
    const records = plan.writers * appends
    const mainThread = ((await mainThreadNanos()) - nanosBefore) / records
    const extra = { [MAIN]: mainThread, ...(delay && { 'event loop p99 ms': delay() }) }
    return { value: records / seconds, records, extra }
  },
}

const MAIN = 'main thread ns'

/** @param {import('../types.d.ts').Round} round */
function nanos(round) {
  return round.extra?.[MAIN] ?? Number.NaN
}
