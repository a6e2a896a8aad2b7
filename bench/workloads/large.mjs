/**
 * More than 10 GB without compression, so that what comes late is paid for too: write-back of what goes through the page
 * cache, rotation, sealing. Memory must stay flat. The device takes as many bytes at the end of a file, with `O_DIRECT`, in
 * blocks of 1 MiB.
 */
import { performance } from 'node:perf_hooks'
import { watchDelay } from '../delay.mjs'
import { delayGoal, figure } from '../goals.mjs'
import { residentBytes } from '../system.mjs'

const SIZE = 4_000
const MB = 1e6
let residentFirst = Number.NaN

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'more than 10 GB in batches of 4,000, four in flight, no compression',
  unit: 'records/s',
  better: 'higher',
  sides: ['varve-none', 'lmdb', 'device'],
  baseline: 'lmdb',
  goals: [
    {
      what: 'varve / the lower of 4 × lmdb and 0.85 × the device',
      of: ['varve-none', 'lmdb', 'device'],
      value: ({ 'varve-none': varve, lmdb, device }) => varve.value / Math.min(4 * lmdb.value, 0.85 * device.value),
      unit: '×',
      min: 1,
    },
    figure('resident memory', 'varve-none', 'MB', { max: 150 }, 'RSS MB'),
    figure(
      'resident memory / that of the first half gigabyte',
      'varve-none',
      '×',
      { max: 1.1 },
      'RSS × of the first round',
    ),
    delayGoal('varve-none'),
  ],
  // A round is half a gigabyte for varve and the device, and a fifth of that for lmdb.
  plan: quick => ({ rounds: quick ? 2 : 21, warmUp: 1, batches: quick ? 100 : 500 }),

  async round({ store, events, plan, dir, side }) {
    if (store.run) {
      const args = { file: `${dir}/log`, block: 1 << 20, bytes: plan.batches * SIZE * 256, way: 'direct' }
      const round = store.run('device', args)
      return { ...round, value: round.value / 256 }
    }
    const batches = side === 'lmdb' ? plan.batches / 5 : plan.batches
    const delay = store.log && watchDelay()
    let resident = 0
    let heap = 0
    const started = performance.now()
    /** @type {Promise<unknown>[]} */
    const waiting = []
    for (let batch = 0; batch < batches; batch++) {
      const first = (batch * SIZE) % (events.length - SIZE)
      waiting.push(store.appendBatch(events.slice(first, first + SIZE)))
      if (waiting.length === 4) await waiting.shift()
      if (batch % 50 > 0) continue
      resident = Math.max(resident, residentBytes())
      heap = Math.max(heap, process.memoryUsage().heapUsed)
    }
    await Promise.all(waiting)
    const seconds = (performance.now() - started) / 1_000
    const records = batches * SIZE
    if (Number.isNaN(residentFirst)) residentFirst = resident
    const extra = {
      'RSS MB': resident / MB,
      'RSS × of the first round': resident / residentFirst,
      'heap MB': heap / MB,
      ...(delay && { 'event loop p99 ms': delay() }),
    }
    return { value: records / seconds, records, extra }
  },
}
