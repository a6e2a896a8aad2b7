import { expect, test } from 'vitest'
import { errorOf, openFake, stateOf, tick } from '../support/fake-log.js'

const maxPendingBytes = 10_000
const kilo = Buffer.alloc(1_000 - 256)

function* counted(count: number, pulled: { count: number; left?: boolean }) {
  try {
    for (let n = 0; n < count; n++) {
      pulled.count++
      yield kilo
    }
  } finally {
    pulled.left = true
  }
}

async function* asAsync<T>(source: Iterable<T>) {
  yield* source
}

test.each(['sync', 'async'])('a %s source waits above maxPendingBytes and never meets VARVE_BUSY', async kind => {
  const { addon, log } = await openFake({ maxPendingBytes })
  const pulled = { count: 0 }
  const source = counted(100, pulled)
  const all = log.appendAll(kind === 'sync' ? source : asAsync(source))
  await tick()
  expect(pulled.count).toBe(11)
  expect(log.pendingBytes).toBe(11_000)
  while ((await stateOf(all)) === 'pending') addon.sync()
  expect(await all).toMatchObject({ count: 100, bytes: 100 * kilo.length, head: { size: 100 } })
  expect(addon.submitted).toBe(100)
})

test('a value over the hard limit goes through, alone', async () => {
  const { addon, log } = await openFake({ maxPendingBytes })
  const all = log.appendAll([Buffer.alloc(50_000), kilo])
  await tick()
  expect(addon.submitted).toBe(1)
  addon.sync()
  await tick()
  addon.sync()
  expect(await all).toMatchObject({ count: 2 })
})

test('values of one turn cross together, and the event loop gets turns', async () => {
  const { addon, log } = await openFake()
  let turns = 0
  const count = setInterval(() => turns++, 0)
  const all = log.appendAll(counted(2_000, { count: 0 }))
  while (addon.submitted < 2_000) await tick()
  expect(addon.submissions.length).toBeLessThan(40)
  addon.sync()
  await all
  clearInterval(count)
  expect(turns).toBeGreaterThan(0)
})

test('an empty source resolves with nothing', async () => {
  const { log } = await openFake()
  expect(await log.appendAll([])).toMatchObject({ count: 0, bytes: 0, head: log.head })
})

test('offsets of appendAll and append interleave in call order', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const all = log.appendAll(['a', 'b'])
  const one = log.append('c')
  await tick()
  addon.sync()
  expect(await one).toMatchObject({ offset: 2 })
  expect(await all).toMatchObject({ count: 2 })
  expect(addon.records.map(String)).toEqual(['a', 'b', 'c'])
})

test('an error of the source comes back as it is, with progress, once what was taken is durable', async () => {
  const { addon, log } = await openFake()
  const boom = new Error('boom')
  const all = log.appendAll(
    (function* () {
      yield kilo
      yield kilo
      throw boom
    })(),
  )
  expect(await stateOf(all)).toBe('pending')
  addon.sync()
  const error = await errorOf(all)
  expect(error).toBe(boom)
  expect(error.progress).toMatchObject({ count: 2, bytes: 2 * kilo.length, head: { size: 2 } })
})

test('a refused value ends it, with progress, and the source is left', async () => {
  const { addon, log } = await openFake<any>()
  const pulled = { count: 0, left: false }
  const source = counted(3, pulled)
  const all = log.appendAll(
    (function* () {
      yield kilo
      yield 5
      yield* source
    })(),
  )
  await tick()
  addon.sync()
  const error = await errorOf(all)
  expect(error).toBeInstanceOf(TypeError)
  expect(error.progress.count).toBe(1)
  expect(pulled.count).toBe(0)
})

test('a failed log ends it with the error of the log and what was durable before', async () => {
  const { addon, log } = await openFake({ maxPendingBytes })
  const pulled = { count: 0, left: false }
  const all = log.appendAll(counted(100, pulled))
  await tick()
  addon.sync(5)
  addon.emit({ type: 'failed', log: 1, error: { code: 'VARVE_IO', message: 'no', systemCode: 'EIO', errno: 5 } })
  const error = await errorOf(all)
  expect(error).toMatchObject({ code: 'VARVE_IO', outcome: 'unknown', cause: { code: 'EIO' } })
  // The group was one batch, so the watermark inside it proves nothing of it.
  expect(error.progress.count).toBe(0)
  expect(pulled.left).toBe(true)
  expect(log.failure).not.toHaveProperty('progress')
})

test('an aborted signal stops it even when the source is stuck; it rejects with the reason, after what was taken', async () => {
  const { addon, log } = await openFake()
  const controller = new AbortController()
  const seen: number[] = []
  const all = log.appendAll(
    (async function* () {
      yield kilo
      await new Promise(() => {})
    })(),
    { signal: controller.signal, onProgress: ({ count }) => seen.push(count) },
  )
  await tick()
  const reason = new Error('enough')
  controller.abort(reason)
  expect(await stateOf(all)).toBe('pending')
  addon.sync()
  expect(await errorOf(all)).toBe(reason)
  expect(reason).not.toHaveProperty('progress')
  expect(seen).toEqual([1])
})

test('a signal that was already aborted takes nothing', async () => {
  const { addon, log } = await openFake()
  const pulled = { count: 0 }
  const reason = new Error('before')
  await expect(log.appendAll(counted(5, pulled), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  expect(pulled.count).toBe(0)
  expect(addon.submitted).toBe(0)
})

test('what onProgress throws ends it', async () => {
  const { addon, log } = await openFake()
  const boom = new Error('in the callback')
  const all = log.appendAll([kilo], {
    onProgress() {
      throw boom
    },
  })
  await tick()
  addon.sync()
  expect(await errorOf(all)).toBe(boom)
})

test('a closed log refuses it with progress zero', async () => {
  const { addon, log } = await openFake()
  const closing = log.close()
  addon.finishClose()
  await closing
  const error = await errorOf(log.appendAll([kilo]))
  expect(error).toMatchObject({ code: 'VARVE_CLOSED', outcome: 'none', progress: { count: 0 } })
})
