/**
 * The small program that has to work on every runtime: `program.mjs try '["how","to","run","it"]'`.
 * Appends in a process that is killed, reopens, reads, tails, verifies, and appends in worker threads.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { open, VarveError, verify } from 'varve'

const self = fileURLToPath(import.meta.url)
const ENOUGH = 100
const [role, argument] = process.argv.slice(2)

if (!isMainThread) await work(workerData.dir)
else if (role === 'append') await appendForever(argument)
else if (role === 'try') await tryEverything(JSON.parse(argument))

/** @param {string} dir */
async function appendForever(dir) {
  const log = await open(dir, { encoding: 'json' })
  for (let n = 0; ; n++) console.log((await log.append({ n })).offset)
}

/** @param {string} dir */
async function work(dir) {
  const log = await open(dir, { encoding: 'utf8' })
  await Promise.all(Array.from({ length: ENOUGH }, (_, n) => log.append(`record ${n}`)))
  await log.close()
  parentPort?.postMessage(log.head.size)
}

/** @param {string[]} command */
async function tryEverything(command) {
  const parent = mkdtempSync(join(tmpdir(), 'varve-matrix-'))
  try {
    assert.equal(createRequire(import.meta.url)('varve').open, open, 'require and import give the same')
    const dir = join(parent, 'log')
    const acknowledged = await appendAndKill(command, dir)

    const log = await open(dir, { encoding: 'json' })
    const values = (await log.read().toArray()).map(({ value }) => value)
    assert(values.length >= acknowledged, `${acknowledged} were acknowledged, ${values.length} are there`)
    assert.deepEqual(
      values,
      Array.from(values, (_, n) => ({ n })),
    )
    await assert.rejects(open(dir), error => error instanceof VarveError && error.code === 'VARVE_LOCKED')
    await tail(log, values.length)
    await log.close()
    assert.equal((await verify(dir)).ok, true)

    const dirs = ['first', 'second'].map(name => join(parent, name))
    assert.deepEqual(await Promise.all(dirs.map(inWorker)), [ENOUGH, ENOUGH])
    for (const dir of dirs) assert.equal((await verify(dir)).head.size, ENOUGH)
    console.log(`${acknowledged} acknowledged, ${values.length} found after the kill, 2 x ${ENOUGH} in workers`)
  } finally {
    rmSync(parent, { recursive: true, force: true })
  }
}

/**
 * @param {string[]} command
 * @param {string} dir
 * @returns {Promise<number>} how many appends were acknowledged before the process was killed
 */
function appendAndKill([command, ...args], dir) {
  const child = spawn(command, [...args, self, 'append', dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  let acknowledged = 0
  createInterface({ input: child.stdout }).on('line', line => {
    acknowledged = Number(line) + 1
    if (acknowledged === ENOUGH) child.kill('SIGKILL')
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => {
      if (acknowledged >= ENOUGH) resolve(acknowledged)
      else reject(new Error(`the child ended after ${acknowledged} appends`))
    })
  })
}

/**
 * Records from the first on, and one that is appended while it waits.
 *
 * @param {import('varve').Log<any>} log
 * @param {number} size
 */
async function tail(log, size) {
  let seen = 0
  for await (const { offset } of log.tail({ from: 'start' })) {
    assert.equal(offset, seen++)
    if (seen === size) await log.append({ n: size })
    if (seen > size) break
  }
}

/** @param {string} dir */
function inWorker(dir) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(self, { workerData: { dir } })
    worker.on('message', resolve)
    worker.on('error', reject)
  })
}
