import { performance } from 'node:perf_hooks'

/**
 * The round of `pipe` and `batch`: from the first call until everything is durable.
 *
 * @param {import('../types.d.ts').Context} context
 */
export async function appendBatches({ store, events, plan }) {
  const batches = Array.from({ length: plan.batches }, (_, batch) =>
    Array.from({ length: plan.size }, (_, index) => events[(batch * plan.size + index) % events.length]),
  )
  const started = performance.now()
  /** @type {Promise<unknown>[]} */
  const waiting = []
  for (const batch of batches) {
    waiting.push(store.appendBatch(batch))
    if (waiting.length === plan.inFlight) await waiting.shift()
  }
  await Promise.all(waiting)
  const seconds = (performance.now() - started) / 1_000
  const records = plan.batches * plan.size
  return { value: records / seconds, records }
}
