import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { Child } from '../support/child.js'
import { newPath, openLog, random, texts } from '../support/temp.js'

const rounds = Number(process.env.VARVE_KILL_ROUNDS ?? 20)
const seed = Number(process.env.VARVE_SEED ?? 20261125)

test(`writers are killed ${rounds} times: tails in another process and in a worker get every record once`, {
  timeout: 30_000 + rounds * 10_000,
}, async () => {
  console.log(`tails-outlive-killed-writers: VARVE_SEED=${seed} VARVE_KILL_ROUNDS=${rounds}`)
  const pick = random(seed)
  const dir = newPath()
  const options = { encoding: 'utf8', segmentBytes: 64 * 1024 } as const
  const first = await openLog<string>(dir, options)
  await first.append('first/0/1 ')
  await first.close()

  const elsewhere = new Child('tailer.mjs', [dir])
  expect(await elsewhere.line()).toBe('open')
  const worker = new InWorker(dir)
  expect(await worker.line()).toBe('open')

  const tails = [elsewhere, worker]
  const seen: string[] = []
  for (let round = 0; round < rounds; round++) {
    const segmentBytes = (pick() < 0.7 ? 64 : 256) * 1024
    const compression = pick() < 0.5 ? 'none' : 'lz4'
    const args = [
      dir,
      String(round),
      String(Math.floor(pick() * 2 ** 32)),
      JSON.stringify({ segmentBytes, compression }),
    ]
    const writer = new Child('writers.mjs', args)
    for (let n = 0; n < 2; n++) await writer.line() // opening, open
    const receipts = Math.floor(pick() * 60)
    for (let n = 0; n < receipts; n++) await writer.line()
    // Not to wait for something: the moment is to be any.
    await setTimeout(pick() * 8)
    writer.kill('SIGKILL')
    await writer.ended

    // Whoever opens the log next finds what the tails were shown, and they are shown what it finds.
    const log = await openLog<string>(dir, options)
    await log.append(`after-${round}/0/1 `)
    const values = (await log.read().toArray()).map(({ offset, value }) => `${offset} ${value.split(' ', 1)[0]}`)
    await log.close()
    const news = values.slice(seen.length)
    for (const tail of tails) for (const line of news) expect(await tail.line()).toBe(line)
    expect(values.slice(0, seen.length)).toEqual(seen)
    seen.push(...news)
  }
  for (const tail of tails) {
    tail.say('stop')
    expect(await tail.line()).toBe('stopped')
  }
  expect(await elsewhere.ended).toMatchObject({ code: 0, stderr: '' })
  console.log(`tails-outlive-killed-writers: ${seen.length} records`)
})

test('a worker that ends while it follows, and one that is terminated, are not in the way of the writer', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const workers = [new InWorker(log.location), new InWorker(log.location)] as const
  for (const worker of workers) expect(await worker.line()).toBe('open')
  await log.append('a/0/1 ')
  for (const worker of workers) expect(await worker.line()).toBe('0 a/0/1')
  await workers[0].worker.terminate()
  await log.appendBatch(texts(10))
  for (let n = 1; n <= 10; n++) expect(await workers[1].line()).toMatch(`${n} `)
  workers[1].say('stop')
  await once(workers[1].worker, 'exit')
})

/** The same program in a thread of this process. */
class InWorker {
  readonly worker: Worker
  readonly #lines: string[] = []
  #wake = () => {}

  constructor(dir: string) {
    this.worker = new Worker(join(__dirname, '..', 'fixtures', 'tailer.mjs'), { workerData: dir })
    this.worker.on('message', line => {
      this.#lines.push(typeof line === 'string' ? line : JSON.stringify(line))
      this.#wake()
    })
  }

  async line(): Promise<string> {
    while (this.#lines.length === 0) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return this.#lines.shift()!
  }

  say(line: string): void {
    this.worker.postMessage(line)
  }
}
