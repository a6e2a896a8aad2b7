/** Batches of events into a store: measured, or to have something to read. */
import { performance } from 'node:perf_hooks'
import { watchDelay } from './delay.mjs'
import { mainThreadNanos } from './system.mjs'

/**
 * Batches with some in flight: from the first call until everything is durable. Gives records a second.
 *
 * @param {import('./types.d.ts').Store} store
 * @param {Buffer[]} events
 * @param {{ batches: number, size: number, inFlight: number }} plan
 * @returns {Promise<import('./types.d.ts').Round>}
 */
export async function appendBatches({ appendBatch, log }, events, { batches, size, inFlight }) {
  const all = Array.from({ length: batches }, (_, batch) =>
    Array.from({ length: size }, (_, index) => events[(batch * size + index) % events.length]),
  )
  const nanosBefore = await mainThreadNanos()
  const delay = log && watchDelay()
  const started = performance.now()
  /** @type {Promise<unknown>[]} */
  const waiting = []
  for (const batch of all) {
    waiting.push(appendBatch(batch))
    if (waiting.length === inFlight) await waiting.shift()
  }
  await Promise.all(waiting)
  const seconds = (performance.now() - started) / 1_000
  const late = delay?.()
  const records = batches * size
  const extra = { 'main thread ns': ((await mainThreadNanos()) - nanosBefore) / records }
  return {
    value: records / seconds,
    records,
    extra: late === undefined ? extra : { ...extra, 'event loop p99 ms': late },
  }
}

/**
 * Fills a log with `records` of `values`, over and over, before a workload that reads.
 *
 * @template T
 * @param {{ appendBatch(values: T[]): Promise<unknown> }} log
 * @param {T[]} values
 * @param {number} records
 */
export async function fill(log, values, records) {
  for (let start = 0; start < records; start += 4_000) {
    const length = Math.min(4_000, records - start)
    await log.appendBatch(Array.from({ length }, (_, index) => values[(start + index) % values.length]))
  }
}
