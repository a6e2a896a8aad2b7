/** One thread and its log. `close` before the thread ends; if it is terminated all the same, what was accepted is flushed. */
import { parentPort, workerData } from 'node:worker_threads'
import { open } from 'varve'

const { folder, number, count } = workerData
const log = await open(folder, { encoding: 'json' })
try {
  const events = Array.from({ length: count }, (_, index) => ({ worker: number, index }))
  const { count: durable } = await log.appendAll(events)
  parentPort?.postMessage(durable)
} finally {
  await log.close()
}
