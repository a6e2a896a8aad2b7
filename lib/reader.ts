/**
 * Reading: a Reader asks for the next chunks when it hands one out, so that the engine reads while JavaScript decodes.
 * A record is decoded when somebody touches it.
 */
import { ChunkText } from './chunk-text.js'
import type { Codec, Utf8Buffer } from './encoding.js'
import { invalid, invalidRange } from './errors.js'
import type { NativeChunk, NativeReadRequest } from './native.js'
import type { Reading } from './options.js'
import { ReadAhead } from './read-ahead.js'
import { isClosed, type Live } from './tail.js'
import type { Chunk, LogRecord, Reader } from './types.js'

/** What a Reader reads from. */
export interface ReadSource {
  /** The durable range now; throws when the log cannot be read. */
  range(from: number | undefined, signal: AbortSignal | undefined): Promise<{ firstOffset: number; size: number }>
  fetch(request: NativeReadRequest, signal: AbortSignal | undefined): Promise<NativeChunk>
}

/** The addon counts records in 32 bits. */
const MAX_RECORDS = 2 ** 32 - 1

/** See `Chunk` in types.ts. Laid out as in NativeChunk; the addon keeps no reference to it. */
export class RecordChunk<T> implements Chunk<T> {
  readonly offset: number
  readonly length: number
  readonly #codec: Codec
  readonly #step: 1 | -1
  readonly #times: Float64Array
  readonly #ends: Uint32Array
  /** The payloads, and where in which memory they start; of those that came as text only when somebody asks. */
  #payloads: Utf8Buffer | undefined
  #memory!: ArrayBuffer
  #base = 0
  readonly #text: ChunkText | undefined

  constructor(native: NativeChunk, codec: Codec, reverse: boolean) {
    const { count } = native
    // Typed arrays want 8-byte alignment; a buffer of its own has it.
    const all = native.buffer.byteOffset % 8 === 0 ? native.buffer : new Uint8Array(native.buffer)
    const memory = all.buffer as ArrayBuffer
    this.offset = reverse ? native.offset + count - 1 : native.offset
    this.length = count
    this.#codec = codec
    this.#step = reverse ? -1 : 1
    this.#times = new Float64Array(memory, all.byteOffset, count)
    this.#ends = new Uint32Array(memory, all.byteOffset + 8 * count, count)
    if (native.texts !== undefined) this.#text = new ChunkText(native.texts)
    else this.#keep(Buffer.from(memory, all.byteOffset + 12 * count, all.byteLength - 12 * count))
  }

  at(index: number): LogRecord<T> | undefined {
    const given = Math.trunc(index) || 0
    const at = given < 0 ? given + this.length : given
    return at >= 0 && at < this.length ? this.record(at) : undefined
  }

  bytes(index: number): Uint8Array {
    if (!Number.isInteger(index) || index < 0 || index >= this.length) {
      throw invalidRange('index', `an integer from 0 to ${this.length - 1}`, index)
    }
    if (this.#payloads === undefined) this.#keep(this.#text!.bytes(this.#ends[this.length - 1]!))
    const slot = this.#step > 0 ? index : this.length - 1 - index
    const start = slot === 0 ? 0 : this.#ends[slot - 1]!
    // Not a Buffer's `subarray`: 16 ns instead of 44.
    return new Uint8Array(this.#memory, this.#base + start, this.#ends[slot]! - start)
  }

  /** The record at an index that is known to be inside. */
  record(index: number): LogRecord<T> {
    const slot = this.#step > 0 ? index : this.length - 1 - index
    const start = slot === 0 ? 0 : this.#ends[slot - 1]!
    return {
      offset: this.offset + this.#step * index,
      time: this.#times[slot]!,
      value: this.#decode(start, this.#ends[slot]!) as T,
    }
  }

  #decode(start: number, end: number): unknown {
    if (this.#text === undefined) return this.#codec.decode(this.#payloads!, start, end)
    return this.#codec.parse!(this.#text.of(start, end))
  }

  #keep(payloads: Buffer): void {
    this.#payloads = payloads as Utf8Buffer
    this.#memory = payloads.buffer as ArrayBuffer
    this.#base = payloads.byteOffset
  }

  [Symbol.iterator](): IterableIterator<LogRecord<T>> {
    return new ChunkIterator(this)
  }
}

/** Written by hand, as is the Reader below: generators cost more per record. */
class ChunkIterator<T> implements IterableIterator<LogRecord<T>> {
  readonly #chunk: RecordChunk<T>
  #index = 0

  constructor(chunk: RecordChunk<T>) {
    this.#chunk = chunk
  }

  next(): IteratorResult<LogRecord<T>> {
    if (this.#index >= this.#chunk.length) return { value: undefined, done: true }
    return { value: this.#chunk.record(this.#index++), done: false }
  }

  [Symbol.iterator](): this {
    return this
  }
}

const ignore = () => {}

export class LogReader<T> implements Reader<T> {
  readonly #source: ReadSource
  readonly #codec: Codec
  readonly #options: Reading
  readonly #signal: AbortSignal | undefined
  /** From the first pull on. */
  #runs: ReadAhead | undefined
  #done = false
  /** Of a tail, which waits where a reader ends. */
  readonly #live: Live | undefined
  /** Pulls take turns, so that two that overlap get two chunks, in order. */
  #turn: Promise<unknown> = Promise.resolve()
  /** The chunk that `next()` gives from. */
  #chunk: RecordChunk<T> | undefined
  #index = 0
  /** The pull that calls of `next()` wait for. */
  #waiting: Promise<RecordChunk<T> | undefined> | undefined

  constructor(source: ReadSource, codec: Codec, options: Reading, live?: Live) {
    this.#source = source
    this.#codec = codec
    this.#options = options
    this.#signal = options.signal
    this.#live = live
  }

  next(): Promise<IteratorResult<LogRecord<T>>> {
    const chunk = this.#chunk
    if (chunk === undefined) return this.#nextOfNewChunk()
    try {
      this.#signal?.throwIfAborted()
      const value = chunk.record(this.#index)
      if (++this.#index === chunk.length) this.#chunk = undefined
      return Promise.resolve({ value, done: false })
    } catch (error) {
      this.#finish()
      return Promise.reject(error)
    }
  }

  return(): Promise<IteratorResult<LogRecord<T>>> {
    this.#finish()
    return Promise.resolve({ value: undefined, done: true })
  }

  chunks(): AsyncIterableIterator<Chunk<T>> {
    if (this.#chunk !== undefined || this.#waiting !== undefined) {
      throw invalid('chunks() must be called before records are taken one by one, got a call in the middle of a chunk')
    }
    const iterator: AsyncIterableIterator<Chunk<T>> = {
      next: async () => {
        const value = await this.#pull()
        return value === undefined ? { value, done: true } : { value, done: false }
      },
      return: async () => {
        this.#finish()
        return { value: undefined, done: true }
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  async toArray(): Promise<LogRecord<T>[]> {
    const records: LogRecord<T>[] = []
    try {
      let chunk = this.#chunk
      let index = chunk === undefined ? 0 : this.#index
      this.#chunk = undefined
      if (chunk === undefined) chunk = await this.#pull()
      else this.#signal?.throwIfAborted()
      for (; chunk !== undefined; chunk = await this.#pull()) {
        for (; index < chunk.length; index++) records.push(chunk.record(index))
        index = 0
      }
    } catch (error) {
      this.#finish()
      throw error
    }
    return records
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finish()
  }

  #nextOfNewChunk(): Promise<IteratorResult<LogRecord<T>>> {
    this.#waiting ??= this.#pull().then(
      chunk => {
        this.#waiting = undefined
        if (!this.#finished()) this.#chunk = chunk
        this.#index = 0
        return chunk
      },
      error => {
        this.#waiting = undefined
        throw error
      },
    )
    // Several calls may wait for this chunk; it may be shorter than they are many.
    return this.#waiting.then(chunk => (chunk === undefined ? { value: undefined, done: true } : this.next()))
  }

  /** The next chunk, `undefined` at the end. */
  #pull(): Promise<RecordChunk<T> | undefined> {
    const pull = this.#turn.then(() => this.#advance())
    this.#turn = pull.catch(ignore)
    return pull
  }

  async #advance(): Promise<RecordChunk<T> | undefined> {
    if (this.#finished()) return undefined
    try {
      this.#signal?.throwIfAborted()
      const runs = this.#runs ?? (await this.#start())
      if (runs === undefined) this.#finish()
      if (runs === undefined || this.#finished()) return undefined // by return(), meanwhile
      this.#runs = runs
      let native = await runs.next()
      while (native === undefined && this.#live !== undefined && !this.#finished()) {
        runs.extend(await this.#live.beyond(runs.end))
        native = this.#finished() ? undefined : await runs.next()
      }
      if (native === undefined) this.#finish()
      if (native === undefined || this.#finished()) return undefined
      return new RecordChunk<T>(native, this.#codec, this.#options.reverse)
    } catch (error) {
      const ended = this.#finished() || (this.#live !== undefined && this.#runs !== undefined && isClosed(error))
      this.#finish()
      if (ended) return undefined
      throw error
    }
  }

  async #start(): Promise<ReadAhead | undefined> {
    const { limit, reverse, verify, chunkBytes: maxBytes } = this.#options
    const range = await this.#range()
    if (range === undefined) return undefined
    const { from, to } = range
    const text = this.#codec.parse !== undefined
    // A tail asks for one chunk ahead at most: it is told no bounds.
    const beyond = this.#live === undefined && !reverse ? to : from
    return new ReadAhead({ from, to, limit, reverse }, (from, to, budget) => {
      const maxRecords = Math.min(budget, MAX_RECORDS)
      return this.#source.fetch({ from, to, maxBytes, maxRecords, reverse, verify, beyond, text }, this.#signal)
    })
  }

  async #range(): Promise<{ from: number; to: number } | undefined> {
    if (this.#live !== undefined) {
      const start = await this.#live.start
      return start && { from: start.from, to: start.size }
    }
    const { from, to } = this.#options
    const { firstOffset, size } = await this.#source.range(from, this.#signal)
    return { from: from ?? firstOffset, to: Math.min(to ?? size, size) }
  }

  #finished(): boolean {
    return this.#done
  }

  #finish(): void {
    this.#done = true
    this.#chunk = undefined
    this.#runs = undefined
    this.#live?.end()
  }
}
