/**
 * `node examples/worker-logs/main.mjs [FOLDER] [WORKERS]`: several worker threads, each with a log of its own.
 *
 * A log has one writer, so threads do not share one: each opens its own folder. The engine's threads are shared by the
 * whole process, however many logs there are. The main thread reads all of them afterwards and merges them by time.
 */
import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { open } from 'varve'

const dir = process.argv[2] ?? './data/workers'
const workers = Number(process.argv[3] ?? 4)
const perWorker = 5_000

const folders = Array.from({ length: workers }, (_, number) => join(dir, `worker-${number}`))
const counts = await Promise.all(
  folders.map(async (folder, number) => {
    const worker = new Worker(new URL('./worker.mjs', import.meta.url), {
      workerData: { folder, number, count: perWorker },
    })
    const [durable] = await once(worker, 'message')
    await once(worker, 'exit')
    return durable
  }),
)
console.log(`${workers} workers appended ${counts.join(', ')} records`)

let merged = 0
/** @type {{ time: number, worker: number } | undefined} */
let newest
for (const folder of folders) {
  /** @type {import('varve').Log<{ worker: number, index: number }>} */
  const log = await open(folder, { encoding: 'json', readOnly: true })
  const { ok } = await log.verify()
  for await (const chunk of log.read().chunks()) {
    for (const { time, value } of chunk) {
      merged++
      if (newest === undefined || time >= newest.time) newest = { time, worker: value.worker }
    }
  }
  await log.close()
  if (!ok) throw new Error(`${folder} does not verify`)
}
console.log(`${merged} records verified; the newest came from worker ${newest?.worker}`)
