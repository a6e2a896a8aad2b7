/** An open log: checks arguments, keeps its state, and hands each call to the writer, a reader or the addon. */
import type { WritableStream } from 'node:stream/web'
import { appendAll } from './append-all.js'
import { isWatched, publish } from './diagnostics.js'
import type { Codec } from './encoding.js'
import { closedError, failedError, fromNative, prunedError, type VarveError } from './errors.js'
import { EXIT_TIMEOUT } from './exit.js'
import { Growth } from './growth.js'
import { turn } from './later.js'
import { Lookup } from './lookup.js'
import type { NativeChunk, NativeDistribution, NativeError, NativeOpened, NativeReadRequest } from './native.js'
import {
  appendOptions,
  bag,
  checkedOffset,
  milliseconds,
  optionalSignal,
  readOptions,
  tailOptions,
  verifyOptions,
} from './options.js'
import { LogReader, type ReadSource } from './reader.js'
import { Mark } from './receipt.js'
import type { Distribution, Recovery, Stats, VerifyOptions, VerifyReport } from './reports.js'
import { type Listener, type RequestOptions, request, type Session } from './session.js'
import { type Growing, isClosed, Live, type Start } from './tail.js'
import type {
  AppendAllOptions,
  AppendOptions,
  AppendProgress,
  Head,
  Log,
  LogRecord,
  Reader,
  ReadOptions,
  Receipt,
  TailOptions,
} from './types.js'
import { writable } from './writable.js'
import { Writer } from './writer.js'

/** What `open` passes on besides what the addon answered. */
export interface LogSettings {
  codec: Codec
  maxRecordBytes: number
  maxPendingBytes: number
  readOnly: boolean
}

type State = 'open' | 'closing' | 'closed'

/** A log in a folder of this machine. See `Log` in types.ts for what its members promise. */
export class LocalLog<In, Out> implements Log<In, Out>, Listener, ReadSource, Growing {
  readonly location: string
  readonly firstOffset: number
  readonly recovery: Recovery | undefined
  readonly #session: Session
  readonly #handle: number
  readonly #id: string
  readonly #codec: Codec
  readonly #readOnly: boolean
  readonly #writer: Writer
  readonly #lookup: Lookup<Out>
  readonly #growth: Growth
  #state: State = 'open'
  #closing: Promise<void> | undefined
  #exited = false

  constructor(session: Session, opened: NativeOpened, settings: LogSettings) {
    this.location = opened.location
    this.firstOffset = opened.firstOffset
    this.recovery = opened.recovery && Object.freeze({ ...opened.recovery })
    this.#session = session
    this.#handle = opened.log
    this.#id = opened.id
    this.#codec = settings.codec
    this.#readOnly = settings.readOnly
    this.#writer = new Writer(session, settings.codec, { ...settings, ...opened })
    this.#lookup = new Lookup(settings.codec, offsets => {
      // Someone asks late whom the end of the process has overtaken.
      if (this.#state === 'closed') return Promise.reject(closedError(this.location))
      return this.#request(number => session.binding.get(number, opened.log, offsets))
    })
    this.#growth = new Growth(session)
    session.addLog(opened.log, this)
    publish('varve:open', { log: this })
  }

  get head(): Head {
    return this.#writer.mark.head
  }

  get failure(): VarveError | undefined {
    return this.#writer.failure
  }

  get pendingBytes(): number {
    return this.#writer.pending.bytes
  }

  append(value: In, options?: AppendOptions): Promise<Receipt> {
    if (options === undefined) return this.#writer.append(value, undefined)
    try {
      return this.#writer.append(value, appendOptions(options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  appendBatch(values: readonly In[], options?: AppendOptions): Promise<Receipt> {
    try {
      return this.#writer.appendBatch(values, appendOptions(options))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  appendAll(source: Iterable<In> | AsyncIterable<In>, options?: AppendAllOptions): Promise<AppendProgress> {
    return appendAll(this.#writer, source, options)
  }

  writable(): WritableStream<In> {
    return writable(this.#writer, () => this.flush())
  }

  async drained(options?: { signal?: AbortSignal }): Promise<void> {
    return this.#writer.pending.drained(optionalSignal(bag(options, ['signal'])))
  }

  async flush(): Promise<Head> {
    this.#assertOpen()
    if (this.#readOnly) return this.head
    this.#writer.flush()
    if (this.failure !== undefined) throw failedError(this.location, this.failure)
    const mark = await this.#request(number => this.#session.binding.flush(number, this.#handle), {
      convert: ({ size, hash }: { size: number; hash: Uint8Array }) => {
        this.durable(size, hash)
        return new Mark(this.#id, size, hash)
      },
    })
    return mark.head
  }

  flushSync(): void {
    if (this.#exited) return // the exit listener has flushed and closed everything
    this.#assertOpen()
    if (this.#readOnly) return
    this.#writer.flush()
    if (this.failure !== undefined) throw failedError(this.location, this.failure)
    const error = this.#session.binding.flushSync(this.#handle, EXIT_TIMEOUT)
    if (error !== undefined) throw fromNative(error)
  }

  async get(offset: number): Promise<LogRecord<Out> | undefined> {
    checkedOffset('offset', offset)
    this.#assertOpen()
    if (offset < this.firstOffset) throw prunedError(offset, this.firstOffset)
    if (this.#readOnly && offset >= this.#writer.mark.size) await this.#refresh()
    if (offset >= this.#writer.mark.size) return undefined
    return this.#lookup.get(offset)
  }

  read(options?: ReadOptions): Reader<Out> {
    return new LogReader<Out>(this, this.#codec, readOptions(options))
  }

  tail(options?: TailOptions): AsyncIterableIterator<LogRecord<Out>> & AsyncDisposable {
    const { from, reading } = tailOptions(options)
    const live = new Live(this, this.#tailStart(from, reading.signal), reading.signal)
    return new LogReader<Out>(this, this.#codec, reading, live)
  }

  async offsetAt(ms: number | Date): Promise<number> {
    const time = milliseconds(ms)
    this.#assertOpen()
    if (this.#readOnly) await this.#refresh()
    return this.#request(number => this.#session.binding.offsetAt(number, this.#handle, time))
  }

  async verify(options?: VerifyOptions): Promise<VerifyReport> {
    const { native, onProgress, signal } = verifyOptions(options, ['from', 'expectHead', 'signal', 'onProgress'])
    this.#assertOpen()
    const send = (number: number) => this.#session.binding.verify(number, this.#handle, native)
    return this.#request(send, { signal, onProgress, stopAtClose: true })
  }

  stats(): Stats {
    this.#assertOpen()
    const { groupRecords, syncMicros, ...counters } = this.#session.binding.stats(this.#handle)
    const { pending, end, mark } = this.#writer
    return {
      ...counters,
      pendingBytes: pending.bytes,
      pendingRecords: end - mark.size,
      groupRecords: distribution(groupRecords),
      syncMicros: distribution(syncMicros),
    }
  }

  close(): Promise<void> {
    if (this.#state === 'closed') return Promise.resolve()
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // What follows is for the session and for readers.

  durable(size: number, hash: Uint8Array): number {
    const records = this.#writer.durable(size, hash)
    this.#growth.grown()
    if (isWatched('varve:group') && records > 0 && !this.#readOnly) publish('varve:group', { log: this, records })
    return records
  }

  failed(error: NativeError): void {
    this.#writer.failed(error)
    const { failure } = this
    if (failure === undefined) return
    this.#growth.ended(failedError(this.location, failure))
    publish('varve:failed', { log: this, error: failure })
  }

  exiting(): void {
    this.#writer.flush()
    this.#writer.close()
    this.#state = 'closed'
    this.#exited = true
  }

  async range(
    from: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<{ firstOffset: number; size: number }> {
    this.#assertOpen()
    if (from !== undefined && from < this.firstOffset) throw prunedError(from, this.firstOffset)
    if (this.#readOnly) await this.#refresh(signal)
    return { firstOffset: this.firstOffset, size: this.#writer.mark.size }
  }

  async fetch(range: NativeReadRequest, signal: AbortSignal | undefined): Promise<NativeChunk> {
    this.#assertOpen()
    return this.#request(number => this.#session.binding.read(number, this.#handle, range), { signal })
  }

  async beyond(size: number, signal: AbortSignal): Promise<number> {
    this.#assertOpen()
    while (this.#writer.mark.size <= size) {
      if (this.#readOnly) {
        const send = (number: number) => this.#session.binding.follow(number, this.#handle, size)
        await this.#request(send, { convert: this.#moved, signal, stopAtClose: true })
      } else {
        if (this.failure !== undefined) throw failedError(this.location, this.failure)
        await this.#growth.next(signal)
      }
    }
    return this.#writer.mark.size
  }

  /** Where a tail begins, settled when it is made and not at its first pull. */
  async #tailStart(from: number | 'start' | 'end', signal: AbortSignal | undefined): Promise<Start> {
    this.#assertOpen()
    if (typeof from === 'number' && from < this.firstOffset) throw prunedError(from, this.firstOffset)
    try {
      if (this.#readOnly) await this.#refresh(signal, true)
    } catch (error) {
      if (isClosed(error)) return undefined
      throw error
    }
    const { size } = this.#writer.mark
    return { from: from === 'end' ? size : from === 'start' ? this.firstOffset : from, size }
  }

  /** An answer that says how far the log is. */
  readonly #moved = ({ size, hash }: { size: number; hash: Uint8Array }) => void this.durable(size, hash)

  /** Looks where the writer, in another process, is now. */
  #refresh(signal?: AbortSignal, stopAtClose = false): Promise<void> {
    const send = (number: number) => this.#session.binding.refresh(number, this.#handle)
    return this.#request(send, { convert: this.#moved, signal, stopAtClose })
  }

  async #close(): Promise<void> {
    this.#lookup.flush()
    this.#writer.flush()
    this.#writer.close()
    this.#state = 'closing'
    this.#session.stopLongRequests(this.#handle) // a verify must not keep the log open
    let error: Error | undefined
    try {
      // Who was answered a moment ago, and goes on only after whoever called this, shall not find it closed either.
      if (this.#readOnly) await turn()
      while (this.#session.awaits(this.#handle) || this.#lookup.isAsked) {
        await (this.#session.awaits(this.#handle) ? this.#session.answered() : turn())
        this.#lookup.flush() // what an answer left out, or what waited for one
      }
      await request<void>(this.#session, number => this.#session.binding.close(number, this.#handle), {
        convert: () => this.#closed(undefined),
      })
    } catch (failure) {
      error = failure as Error
      this.#closed(error)
    }
    if (this.#writer.lost && this.failure !== undefined) error ??= failedError(this.location, this.failure)
    publish('varve:close', error === undefined ? { log: this } : { log: this, error })
    if (error !== undefined) throw error
  }

  #closed(error: Error | undefined): void {
    this.#state = 'closed'
    this.#writer.closed(error)
    this.#growth.ended(closedError(this.location))
    this.#session.removeLog(this.#handle)
  }

  #request<T>(send: (number: number) => void, options: RequestOptions<T> = {}): Promise<T> {
    return request(this.#session, send, { log: this.#handle, location: this.location, ...options })
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw closedError(this.location)
  }
}

function distribution({ bounds, counts, ...rest }: NativeDistribution): Distribution {
  return { ...rest, buckets: bounds.map((le, index) => ({ le, count: counts[index]! })) }
}
