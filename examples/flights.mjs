/**
 * `npm start`: 200,000 flights appended in durable batches, read back, compared and verified; then two ways to cheat,
 * each on a copy of the log, and the errors that catch them.
 */
import assert from 'node:assert/strict'
import { cp, open as openFile, readFile, rm, truncate } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { inspect, open, VarveError, verify } from 'varve'
import { bold, bytes, count, progressBar, red, row } from './terminal.mjs'

const BATCH = 1_000
const IN_FLIGHT = 4

const repository = fileURLToPath(new URL('..', import.meta.url))
const demo = join(repository, '.demo')
const dir = join(demo, 'flights')
// The package does not export its data files, hence the path.
const source = join(repository, 'node_modules/vega-datasets/data/flights-200k.json')

const flights = JSON.parse(await readFile(source, 'utf8'))
await rm(demo, { recursive: true, force: true })
console.log(bold(`\n${count(flights.length)} flights → ${relative(repository, dir)}\n`))

// Small segments, so that this small log has several files. The default is 256 MiB.
const log = await open(dir, { encoding: 'json', segmentBytes: 1024 * 1024 })
const seconds = await append(log, flights)
await compare(log, flights)
const { ok } = await verifyAll(log)
assert(ok, 'a log that was just written must verify')

const { payloadBytes, storedBytes } = log.stats()
const head = log.head // The fact to keep somewhere else: a database, a ticket, another machine.
await log.close()

console.log(bold('\nNow cheat, on copies\n'))
await flipOneBit(join(demo, 'flipped'))
await cutTail(join(demo, 'cut'), head)

console.log(bold('\nSummary\n'))
row('speed', `${count(flights.length / seconds)} records/s, ${bytes(payloadBytes / seconds)}/s of JSON`)
row('', `durable batches of ${count(BATCH)}, ${IN_FLIGHT} in flight, fsync before each receipt`)
row('stored', `${(storedBytes / payloadBytes).toFixed(3)} bytes per payload byte (${bytes(storedBytes)})`)
row('head', `size ${count(head.size)}`)
row('', `hash ${head.hash}`)
row('log', relative(process.cwd(), dir))
row('look at it', `node dist/bin/varve.js cat ${relative(repository, dir)} --reverse --limit 3`)

/**
 * Appends everything; a few batches stay in flight, so that one is prepared while another one is flushed.
 *
 * @param {import('varve').Log<unknown>} log
 * @param {unknown[]} flights
 */
async function append(log, flights) {
  const bar = progressBar('append', flights.length)
  const started = performance.now()
  /** @type {Promise<void>[]} */
  const waiting = []
  for (let start = 0; start < flights.length; start += BATCH) {
    const durable = log.appendBatch(flights.slice(start, start + BATCH))
    waiting.push(durable.then(receipt => bar.to(receipt.offset + receipt.count)))
    if (waiting.length === IN_FLIGHT) await waiting.shift()
  }
  await Promise.all(waiting)
  return (performance.now() - started) / 1000
}

/**
 * Reads everything back and compares it, value by value, with what went in.
 *
 * @param {import('varve').Log<unknown>} log
 * @param {unknown[]} flights
 */
async function compare(log, flights) {
  const bar = progressBar('read', flights.length)
  let next = 0
  for await (const chunk of log.read().chunks()) {
    for (const { offset, value } of chunk) {
      assert.equal(offset, next++)
      if (!isDeepStrictEqual(value, flights[offset])) assert.deepEqual(value, flights[offset])
    }
    bar.to(next)
  }
  assert.equal(next, flights.length)
}

/**
 * Recomputes every checksum, hash and seal from the files.
 *
 * @param {import('varve').Log<unknown>} log
 */
async function verifyAll(log) {
  /** @type {ReturnType<typeof progressBar> | undefined} */
  let bar
  const report = await log.verify({
    onProgress(progress) {
      bar ??= progressBar('verify', progress.totalBytes)
      bar.to(progress.bytes)
    },
  })
  bar?.finish()
  row('', `${report.ok ? 'ok' : 'NOT ok'}: ${count(report.records)} records, ${bytes(report.bytes)}`)
  return report
}

/**
 * One bit, in the middle of a segment in the middle of the log.
 *
 * @param {string} copy
 */
async function flipOneBit(copy) {
  await cp(dir, copy, { recursive: true })
  const { segments } = await inspect(copy)
  const { file, bytes: size } = segments[Math.floor(segments.length / 2)]
  const position = Math.floor(size / 2)

  const handle = await openFile(join(copy, file), 'r+')
  const { buffer } = await handle.read({ buffer: Buffer.alloc(1), position })
  buffer[0] ^= 1
  await handle.write(buffer, 0, 1, position)
  await handle.close()

  row('flip', `one bit of ${file}, at position ${count(position)} of ${count(size)}`)
  const report = await verify(copy)
  assert(!report.ok, 'verify must see the flipped bit')
  row('verify(dir)', `${report.problems.length} problem${report.problems.length === 1 ? '' : 's'}`)
  for (const { code, message } of report.problems) row('', `${red(code)} ${message}`)
  console.log()
}

/**
 * The newest records disappear. No file can show what is no longer in it: this takes a head that is kept elsewhere.
 *
 * @param {string} copy
 * @param {import('varve').Head} head
 */
async function cutTail(copy, head) {
  await cp(dir, copy, { recursive: true })
  const { segments } = await inspect(copy)
  const { file, bytes: size } = segments[segments.findLastIndex(segment => segment.count > 0)]
  await truncate(join(copy, file), Math.floor(size / 2))

  row('cut', `the last ${bytes(size - Math.floor(size / 2))} of ${file}`)
  const error = await open(copy, { encoding: 'json', expectHead: head }).then(
    () => undefined,
    caught => caught,
  )
  assert(error instanceof VarveError && error.code === 'VARVE_HEAD_MISMATCH', error)
  row('open(dir, { expectHead })', '')
  row('', `${red(error.code)} ${error.message}`)
}
