/**
 * A `Binding` in memory, for unit tests of the facade's protocol and nothing else. Nothing happens by itself: a test
 * says when records become durable, when the log fails and when requests are answered, and sees every call.
 */
import type {
  Binding,
  NativeChunk,
  NativeError,
  NativeEvent,
  NativeOpened,
  NativeOpenOptions,
  NativeReadRequest,
  NativeStats,
} from '../../lib/native.js'

const FAKE_ID = 'ab'.repeat(32)

export interface Submission {
  log: number
  payloads: Buffer[]
  batches: number[]
}

const hashOf = (size: number) => {
  const hash = Buffer.alloc(32)
  hash.writeDoubleBE(size)
  return new Uint8Array(hash)
}

export class FakeBinding implements Binding {
  /** Every `submit`, copied as the addon would. */
  submissions: Submission[] = []
  /** All calls of `hold`. */
  holds: boolean[] = []
  cancelled: number[] = []
  connects = 0
  flushSyncs = 0
  closeAlls = 0
  opens: { request: number; dir: string; options: NativeOpenOptions }[] = []
  reads: { request: number; options: NativeReadRequest }[] = []
  gets: { request: number; offsets: number[] }[] = []
  verifies: number[] = []
  refreshes: number[] = []
  follows: { request: number; size: number }[] = []
  records: Buffer[] = []
  durableSize = 0
  /** What the next submits return, without taking anything. */
  refuse: NativeError | undefined
  /** Answer requests that read at once (default), or when the test says. */
  autoRead = true
  /** Answers of reads tell where the next two runs end, each this many records on. */
  runRecords: number | undefined
  /** Keep copies of payloads; off to time the facade alone. */
  keep = true
  submitted = 0
  /** The facade said that it looks or drains again. */
  facadeLooks = false
  /** Thrown by the next `drain`. */
  drainError: Error | undefined
  #events: NativeEvent[] = []
  /** Of each log the size that became durable and was not drained yet. */
  readonly #watermarks = new Map<number, number>()
  #onEvents = () => {}
  #pendingFlushes: { request: number; size: number }[] = []
  #closing: { request: number; error?: NativeError } | undefined

  connect(onEvents: () => void): boolean {
    this.connects++
    this.#onEvents = onEvents
    return true
  }

  look(): boolean {
    this.facadeLooks = true
    return this.#events.length > 0 || this.#watermarks.size > 0
  }

  drain(again: boolean, watermarks: Uint8Array): NativeEvent[] | undefined {
    const error = this.drainError
    this.drainError = undefined
    if (error !== undefined) throw error
    this.facadeLooks = again
    const view = Buffer.from(watermarks.buffer, watermarks.byteOffset, watermarks.byteLength)
    view.writeUInt32LE(this.#watermarks.size)
    let at = 8
    for (const [log, size] of this.#watermarks) {
      view.writeUInt32LE(log, at)
      view.writeDoubleLE(size, at + 8)
      view.set(hashOf(size), at + 16)
      at += 48
    }
    this.#watermarks.clear()
    return this.#events.length === 0 ? undefined : this.#events.splice(0)
  }

  hold(keepAlive: boolean): void {
    this.holds.push(keepAlive)
  }

  /** Queues events and wakes the facade, as the thread-safe function would: not while it looks by itself. */
  emit(...events: NativeEvent[]): void {
    this.#events.push(...events)
    if (!this.facadeLooks) this.#onEvents()
  }

  /** Hands out at once what `work` queues. */
  together(work: () => void): void {
    this.facadeLooks = true
    work()
    this.facadeLooks = false
    this.emit()
  }

  done(request: number, value?: unknown): void {
    this.emit({ type: 'done', request, value })
  }

  fail(request: number, error: NativeError): void {
    this.emit({ type: 'done', request, error })
  }

  /** Makes records durable, all that were submitted or up to `size`, and answers the flushes that this covers. */
  sync(size = this.submitted, log = 1): void {
    this.durableSize = size
    this.#watermarks.set(log, size)
    this.emit()
    const answered = this.#pendingFlushes.filter(flush => flush.size <= size)
    this.#pendingFlushes = this.#pendingFlushes.filter(flush => flush.size > size)
    for (const { request } of answered) this.done(request, { size, hash: hashOf(size) })
  }

  /** Was asked to close. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  /** Answers the `close` that waits. */
  finishClose(error?: NativeError): void {
    const { request } = this.#closing!
    this.emit(error === undefined ? { type: 'done', request } : { type: 'done', request, error })
  }

  open(request: number, dir: string, options: NativeOpenOptions): void {
    this.opens.push({ request, dir, options })
  }

  openMemory(request: number, options: NativeOpenOptions): void {
    this.opens.push({ request, dir: 'memory:1', options })
  }

  answerOpen(value: Partial<NativeOpened> = {}): void {
    const { request, dir, options } = this.opens.at(-1)!
    const size = this.durableSize
    const opened = { log: 1, location: dir, id: FAKE_ID, size, hash: hashOf(size), firstOffset: 0 }
    this.done(request, { ...opened, encoding: options.encoding, ...value })
  }

  submit(log: number, payloads: Uint8Array, lengths: Uint32Array, batches: Uint32Array): NativeError | undefined {
    if (this.refuse !== undefined) return this.refuse
    this.submitted += lengths.length
    if (!this.keep) return undefined
    const copy = Buffer.from(payloads)
    let at = 0
    const split = Array.from(lengths, length => {
      at += length
      return copy.subarray(at - length, at)
    })
    if (at !== copy.length) throw new Error(`lengths add up to ${at}, payloads have ${copy.length} bytes`)
    const count = batches.reduce((sum, batch) => sum + batch, 0)
    if (count !== lengths.length) throw new Error(`batches add up to ${count}, there are ${lengths.length} records`)
    this.submissions.push({ log, payloads: split, batches: [...batches] })
    this.records.push(...split)
    return undefined
  }

  flush(request: number): void {
    this.#pendingFlushes.push({ request, size: this.submitted })
  }

  flushSync(): NativeError | undefined {
    this.flushSyncs++
    return undefined
  }

  close(request: number): void {
    this.#closing = { request }
  }

  closeAllSync(): void {
    this.closeAlls++
  }

  read(request: number, _log: number, options: NativeReadRequest): void {
    this.reads.push({ request, options })
    if (this.autoRead) queueMicrotask(() => this.answerRead(request))
  }

  get(request: number, _log: number, offsets: Float64Array): void {
    this.gets.push({ request, offsets: [...offsets] })
    if (this.autoRead) queueMicrotask(() => this.answerGet(request))
  }

  /** With the first `most` of the records asked for. */
  answerGet(request: number, most = Infinity): void {
    const { offsets } = this.gets.find(get => get.request === request)!
    this.done(request, this.#layOut(offsets.slice(0, most)))
  }

  answerRead(request: number): void {
    const { options } = this.reads.find(read => read.request === request)!
    this.done(request, this.#chunk(options))
  }

  #chunk({ from, to, maxBytes, maxRecords, reverse, beyond, text }: NativeReadRequest): NativeChunk {
    const taken: number[] = []
    let bytes = 0
    for (let left = to - from; left > 0 && taken.length < maxRecords; left--) {
      const offset = reverse ? from + left - 1 : to - left
      bytes += this.records[offset]!.length
      if (taken.length > 0 && bytes > maxBytes) break
      taken.push(offset)
    }
    taken.sort((a, b) => a - b)
    const next = reverse ? { from, to: taken[0]! } : { from: taken.at(-1)! + 1, to }
    const bounds = [1, 2].map(runs => {
      const records = runs * (this.runRecords ?? 0)
      return reverse ? Math.max(next.to - records, beyond) : Math.min(next.from + records, beyond)
    })
    return { ...this.#layOut(taken, text), ...next, bounds: this.runRecords === undefined ? [] : bounds }
  }

  #layOut(taken: number[], text = false): NativeChunk {
    const payloads = taken.map(offset => this.records[offset]!)
    const head = Buffer.alloc(12 * taken.length)
    let end = 0
    for (const [index, payload] of payloads.entries()) {
      head.writeDoubleLE(1_000 + taken[index]!, 8 * index)
      end += payload.length
      head.writeUInt32LE(end, 8 * taken.length + 4 * index)
    }
    const ascii = payloads.every(payload => payload.every(byte => byte < 0x80))
    const texts = text && ascii ? textsOf(payloads) : undefined
    const buffer = new Uint8Array(Buffer.concat(texts === undefined ? [head, ...payloads] : [head]))
    return { offset: taken[0]!, count: taken.length, buffer, texts, from: 0, to: 0, bounds: [] }
  }

  refresh(request: number): void {
    this.refreshes.push(request)
    if (this.autoRead)
      queueMicrotask(() => this.done(request, { size: this.durableSize, hash: hashOf(this.durableSize) }))
  }

  follow(request: number, _log: number, size: number): void {
    this.follows.push({ request, size })
  }

  /** Answers all that follow: the log now has `size` records. */
  grow(size: number): void {
    this.durableSize = size
    for (const { request } of this.follows.splice(0)) this.done(request, { size, hash: hashOf(size) })
  }

  offsetAt(request: number, _log: number, ms: number): void {
    queueMicrotask(() => this.done(request, Math.min(Math.max(ms - 1_000, 0), this.durableSize)))
  }

  verify(request: number): void {
    this.verifies.push(request)
  }

  verifyDir(request: number): void {
    this.verifies.push(request)
  }

  planRecovery(request: number): void {
    this.verifies.push(request)
  }

  salvage(request: number): void {
    this.verifies.push(request)
  }

  inspect(request: number): void {
    this.verifies.push(request)
  }

  cancel(request: number): void {
    this.cancelled.push(request)
  }

  stats(): NativeStats {
    const nothing = { count: 0, sum: 0, p50: 0, p99: 0, max: 0, bounds: [], counts: [] }
    return { records: 0, groups: 0, payloadBytes: 0, storedBytes: 0, groupRecords: nothing, syncMicros: nothing }
  }
}

/** Of seven records each. */
function textsOf(payloads: Buffer[]): string[] {
  const texts: string[] = []
  for (let at = 0; at < payloads.length; at += 7) texts.push(Buffer.concat(payloads.slice(at, at + 7)).toString())
  return texts
}
