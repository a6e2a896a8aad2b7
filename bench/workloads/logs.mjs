/**
 * A thousand open logs with one writer each. The floor is as many threads as the engine may have (cores + 4), writing and syncing at the
 * ends of as many files.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { figure, ratio } from '../goals.mjs'
import { quantile } from '../statistics.mjs'
import { residentBytes, threads } from '../system.mjs'

const APPENDS_WARM = 4

/** @type {import('../types.d.ts').Log[]} */
const logs = []
/** Latencies of each log, in all rounds after the warm-up. @type {number[][]} */
const micros = []
const memory = { before: 0, opened: 0 }

/** @type {import('../types.d.ts').Workload} */
export default {
  title: '1,000 open logs, one append in flight each',
  unit: 'records/s',
  better: 'higher',
  sides: ['varve', 'threads'],
  baseline: 'threads',
  goals: [
    ratio('varve / threads that write and sync', ['varve', 'threads'], { min: 0.7 }),
    figure("the slowest log's p99 / the median log's", 'varve', '×', { max: 5 }, 'slowest log p99 ×'),
    figure('engine threads', 'varve', '(cores + 4)', { max: availableParallelism() + 4 }, 'engine threads'),
    figure('memory of an idle log', 'varve', 'KiB', { max: 64 }, 'KiB a log, used and idle'),
  ],
  plan: quick => ({ rounds: quick ? 2 : 5, warmUp: 1, logs: quick ? 200 : 1_000, appends: quick ? 20 : 25 }),

  async prepare({ store, events, dir, plan }) {
    const { open, log } = store
    if (!open || !log) return {}
    const before = log.stats().storedBytes
    for (let index = 0; index < 64; index++) await log.append(events[index])
    const bytes = Math.round((log.stats().storedBytes - before) / 64)

    globalThis.gc?.()
    memory.before = residentBytes()
    for (let index = 0; index < plan.logs; index += 50) {
      const some = Array.from({ length: Math.min(50, plan.logs - index) }, (_, at) => open(join(dir, `${index + at}`)))
      logs.push(...(await Promise.all(some)))
    }
    globalThis.gc?.()
    memory.opened = residentBytes()
    return { bytes, threads: Math.max(engineThreads(), availableParallelism() + 4) }
  },

  async round({ store, events, dir, found, round, plan }) {
    if (store.run) {
      const { bytes, threads } = found
      const args = { dir: join(dir, 'files'), files: plan.logs, threads, bytes, appends: plan.appends }
      return store.run('threads', args)
    }
    const appends = round < (plan.warmUp ?? 0) ? APPENDS_WARM : plan.appends
    const started = performance.now()
    await Promise.all(
      logs.map(async (log, index) => {
        micros[index] ??= []
        for (let append = 0; append < appends; append++) {
          const began = performance.now()
          await log.append(events[(index * 16 + append) % events.length])
          if (round >= (plan.warmUp ?? 0)) micros[index].push((performance.now() - began) * 1_000)
        }
      }),
    )
    const seconds = (performance.now() - started) / 1_000
    await delay(500) // until the logs are idle: after 100 ms they mark their end
    globalThis.gc?.()
    const slow = micros.map(values => (values.length > 0 ? quantile(values, 0.99) : 0))
    const records = logs.length * appends
    const extra = {
      'slowest log p99 ×': Math.max(...slow) / quantile(slow, 0.5),
      'median log p99 ms': quantile(slow, 0.5) / 1_000,
      'engine threads': engineThreads(),
      'KiB a log, opened': (memory.opened - memory.before) / logs.length / 1024,
      'KiB a log, used and idle': (residentBytes() - memory.before) / logs.length / 1024,
    }
    return { value: records / seconds, records, extra }
  },

  async finish() {
    await Promise.all(logs.map(log => log.close()))
  },
}

function engineThreads() {
  return threads().filter(name => name.startsWith('varve')).length
}
