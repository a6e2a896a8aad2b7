import { createReadStream, writeFileSync } from 'node:fs'
import { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ReadableStream, TextDecoderStream, TransformStream } from 'node:stream/web'
import { expect, test } from 'vitest'
import { errorOf, openFake, stateOf, tick } from '../support/fake-log.js'
import { newPath, openLog, texts } from '../support/temp.js'

test('pipeTo appends every chunk in order, flushes, and leaves the log open', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  await ReadableStream.from(texts(10_000)).pipeTo(log.writable())
  expect(log.pendingBytes).toBe(0)
  expect(log.head.size).toBe(10_000)
  await log.append('after')
  expect((await log.read().toArray()).map(({ value }) => value)).toEqual([...texts(10_000), 'after'])
})

test('a body of fetch, a file and a transformed stream', async () => {
  const log = await openLog<Uint8Array, Buffer>(newPath())
  const bytes = Buffer.alloc(300_000, 'abcdefg')
  await new Response(bytes).body!.pipeTo(log.writable() as any)
  const file = newPath('file')
  writeFileSync(file, bytes)
  await Readable.toWeb(createReadStream(file)).pipeTo(log.writable())
  const parts = (await log.read().toArray()).map(({ value }) => value)
  expect(Buffer.concat(parts).equals(Buffer.concat([bytes, bytes]))).toBe(true)

  const lines = await openLog<string>(newPath(), { encoding: 'utf8' })
  const upper = new TransformStream<string, string>({ transform: (text, c) => c.enqueue(text.toUpperCase()) })
  const source = new Response('some text').body as unknown as ReadableStream<Uint8Array>
  await source
    .pipeThrough(new TextDecoderStream() as any)
    .pipeThrough(upper)
    .pipeTo(lines.writable())
  expect((await lines.read().toArray()).map(({ value }) => value).join('')).toBe('SOME TEXT')
})

test('Writable.fromWeb makes a Node stream of it', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  await pipeline(Readable.from(texts(100)), Writable.fromWeb(log.writable(), { decodeStrings: false }))
  expect(log.head.size).toBe(100)
})

test('two streams and an append share the log', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const a = ReadableStream.from(texts(500).map(text => `a ${text}`)).pipeTo(log.writable())
  const b = ReadableStream.from(texts(500).map(text => `b ${text}`)).pipeTo(log.writable())
  await Promise.all([a, b, log.append('c')])
  const values = (await log.read().toArray()).map(({ value }) => value)
  expect(values.length).toBe(1_001)
  for (const name of ['a', 'b']) {
    expect(values.filter(value => value.startsWith(`${name} `))).toEqual(texts(500).map(text => `${name} ${text}`))
  }
})

test('a full log makes the stream wait, and pending bytes stay bounded', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8', maxPendingBytes: 10_000 })
  const writer = log.writable().getWriter()
  let taken = 0
  const writes = Array.from({ length: 100 }, () => writer.write('x'.repeat(744)).then(() => taken++))
  for (let n = 0; n < 100; n++) await tick()
  expect(taken).toBe(11) // 1,000 bytes each: the eleventh is the first above the limit
  expect(writer.desiredSize).toBeLessThanOrEqual(0)
  while (taken < 100) {
    addon.sync()
    await tick()
    expect(log.pendingBytes).toBeLessThanOrEqual(11_000)
  }
  await Promise.all(writes)
  const closing = writer.close()
  expect(await stateOf(closing)).toBe('pending')
  addon.sync()
  await closing
})

test('aborting drops what is queued and waits for what was taken', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8', maxPendingBytes: 1_024 })
  const writer = log.writable().getWriter()
  const writes = ['a', 'b'.repeat(1_000), 'c', 'd'].map(value => writer.write(value))
  const outcomes = Promise.allSettled(writes)
  writer.closed.catch(() => {})
  await tick()
  const reason = new Error('enough')
  const aborting = writer.abort(reason)
  expect(await stateOf(aborting)).toBe('pending')
  addon.sync()
  await aborting
  expect(addon.submitted).toBe(2)
  expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
  expect(await errorOf(writer.closed)).toBe(reason)
})

test('pipeTo with a signal stops with its reason', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const controller = new AbortController()
  const endless = new ReadableStream<string>({
    pull(source) {
      source.enqueue('x')
      if (log.head.size > 100) controller.abort(new Error('enough'))
    },
  })
  expect(await errorOf(endless.pipeTo(log.writable(), { signal: controller.signal }))).toBe(controller.signal.reason)
  expect(log.pendingBytes).toBe(0)
  await log.append('still open')
})

test('a refused value errors the stream, and says what is durable', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const error = await errorOf(ReadableStream.from(['a', 'b', 7 as any, 'c']).pipeTo(log.writable()))
  expect(error).toMatchObject({ name: 'TypeError', code: 'VARVE_INVALID', progress: { count: 2, head: { size: 2 } } })
  expect(log.head.size).toBe(2)
})

test('a log that fails errors the stream, also while nobody writes', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  const writer = log.writable().getWriter()
  await writer.write('a')
  await tick()
  addon.emit({ type: 'failed', log: 1, error: { code: 'VARVE_IO', message: 'no' } })
  const failed = { name: 'VarveError', code: 'VARVE_IO', outcome: 'unknown', progress: { count: 0 } }
  expect(await errorOf(writer.closed)).toMatchObject(failed)
  expect(await errorOf(writer.write('b'))).toMatchObject(failed)
})

test('on a log that takes no appends the stream is errored from the beginning', async () => {
  const log = await openLog<string>(newPath(), { encoding: 'utf8' })
  const reader = await openLog<string>(log.location, { encoding: 'utf8', readOnly: true })
  expect(await errorOf(ReadableStream.from(['a']).pipeTo(reader.writable()))).toMatchObject({ code: 'VARVE_READ_ONLY' })
  const early = log.writable()
  await log.close()
  expect(await errorOf(ReadableStream.from(['a']).pipeTo(early))).toMatchObject({ code: 'VARVE_CLOSED' })
  expect(await errorOf(ReadableStream.from(['a']).pipeTo(log.writable()))).toMatchObject({ code: 'VARVE_CLOSED' })
})
