/**
 * Opening a log of 1 and of 10 GB: after a clean close, and after its writer was killed at full speed. The files are in the
 * page cache as far as memory allows.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { figure, ratio } from '../goals.mjs'

const SIZE = 4_000
const KILLED = 'after a kill ms'

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'open a log that was closed; after a kill',
  unit: 'ms',
  better: 'lower',
  sides: ['varve-none@1', 'varve-none@10'],
  baseline: 'varve-none@1',
  spawns: true,
  goals: [
    figure('10 GB, closed', 'varve-none@10', 'ms', { max: 50 }),
    figure('10 GB, killed', 'varve-none@10', 'ms', { max: 300 }, KILLED),
    ratio('10 GB / 1 GB, closed', ['varve-none@10', 'varve-none@1'], { max: 1.3 }),
    {
      what: '10 GB / 1 GB, killed',
      of: ['varve-none@10', 'varve-none@1'],
      value: rounds => killed(rounds['varve-none@10']) / killed(rounds['varve-none@1']),
      unit: '×',
      max: 1.3,
    },
  ],
  plan: quick => ({ rounds: quick ? 2 : 7, warmUp: 1 }),

  async prepare({ side, store, events }) {
    const bytes = Number(side.split('@')[1]) * 1e9
    /** @type {Promise<unknown>[]} */
    const waiting = []
    for (let start = 0; start < bytes / 256; start += SIZE) {
      const first = start % (events.length - SIZE)
      waiting.push(store.appendBatch(events.slice(first, first + SIZE)))
      if (waiting.length === 4) await waiting.shift()
    }
    await Promise.all(waiting)
    await store.close()
    return {}
  },

  async round({ store, dir }) {
    const closed = await openOnce(store, dir)
    const child = fork(join(import.meta.dirname, '../peers/killed.mjs'), [dir])
    await once(child, 'message')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const killed = await openOnce(store, dir)
    return { value: closed, records: 1, extra: { [KILLED]: killed } }
  },
}

/**
 * @param {import('../types.d.ts').Store} store
 * @param {string} dir
 */
async function openOnce({ open }, dir) {
  if (!open) throw new Error('only varve can be reopened')
  const started = performance.now()
  const log = await open(dir, { compression: 'none' })
  const milliseconds = performance.now() - started
  await log.close()
  return milliseconds
}

/** @param {import('../types.d.ts').Round} round */
function killed(round) {
  return round.extra?.[KILLED] ?? Number.NaN
}
