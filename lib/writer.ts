/**
 * This side of the append protocol: staging (staging.ts), waiting calls (entries.ts) and watermark.
 *
 *   append → encode into the staging (ours) → at the end of the tick, or when it is much, one `submit` of what is staged,
 *   which the addon copies before it returns → some time later `durable(size)` → every entry whose records lie below `size` resolves.
 *
 * Invariants:
 * - Offsets are dense in call order: `end` is the next one, counted here.
 * - Nothing is taken before it has been encoded and admitted, and nothing that was taken is ever dropped.
 */
import type { Codec } from './encoding.js'
import { Entries, Entry, type Reject, type Resolve } from './entries.js'
import {
  closedError,
  conflictError,
  failedError,
  fromNative,
  invalid,
  invalidType,
  readOnlyError,
  VarveError,
} from './errors.js'
import { nextTick } from './later.js'
import type { Binding, NativeError } from './native.js'
import { Pending, RECORD_COST } from './pending.js'
import { AppendReceipt, Mark } from './receipt.js'
import type { Session } from './session.js'
import { Staging } from './staging.js'
import type { Receipt } from './types.js'

/** From this size on a payload crosses from the caller's memory, without a copy in the staging. */
const DIRECT_BYTES = 64 * 1024

// One executor for all promises: a closure per append would cost more than the promise.
let newResolve: any
let newReject: any
const capture = (resolve: any, reject: any) => {
  newResolve = resolve
  newReject = reject
}

const flushLater = (writer: Writer) => writer.flushTick()

/** Part of an `appendAll`: who is told when what it staged becomes durable, or cannot. */
export interface Run {
  readonly resolve: Resolve
  readonly reject: Reject
}

export interface WriterOptions {
  log: number
  location: string
  id: string
  size: number
  hash: Uint8Array
  maxRecordBytes: number
  maxPendingBytes: number
  readOnly: boolean
}

export class Writer {
  /** The next offset: what was accepted, durable or not. */
  end: number
  /** The durable end. */
  mark: Mark
  /** The error that stopped the log. */
  failure: VarveError | undefined
  /** Something accepted could not be made durable. */
  lost = false
  readonly pending: Pending

  readonly #session: Session
  readonly #binding: Binding
  readonly #log: number
  readonly #location: string
  readonly #id: string
  readonly #codec: Codec
  readonly #maxRecordBytes: number
  /** Why appends are refused, if they are. */
  #refusal: 'closed' | 'failed' | 'readOnly' | undefined
  #encodingBatch = false

  readonly #staging: Staging
  readonly #entries = new Entries()
  #scheduled = false
  /** Keeps the process alive: some entry waits. */
  #holding = false

  constructor(session: Session, codec: Codec, options: WriterOptions) {
    this.#session = session
    this.#binding = session.binding
    this.#codec = codec
    this.#log = options.log
    this.#location = options.location
    this.#id = options.id
    this.#maxRecordBytes = options.maxRecordBytes
    this.#staging = new Staging(options.maxRecordBytes, () => this.flush())
    this.#refusal = options.readOnly ? 'readOnly' : undefined
    this.pending = new Pending(options.maxPendingBytes)
    this.end = options.size
    this.mark = new Mark(options.id, options.size, options.hash)
  }

  append(value: unknown, expected: number | undefined): Promise<Receipt> {
    return this.#appendOne(value, -1, expected)
  }

  /** `index` is the value's place in a batch of its own, or -1. */
  #appendOne(value: unknown, index: number, expected: number | undefined): Promise<Receipt> {
    try {
      const data = this.#codec.encode(value, index)
      this.admitCall()
      if (typeof data !== 'string' && data.length >= DIRECT_BYTES) return this.#appendDirect(data, index, expected)
      const cost = this.#staging.put(data, index) + RECORD_COST
      this.#admit(cost, expected)
      this.#staging.seal(1)
      const promise = this.#enqueue(1, cost)
      this.#crossIfMuch()
      return promise
    } catch (error) {
      this.#rewind()
      return Promise.reject(error)
    }
  }

  appendBatch(values: readonly unknown[], expected: number | undefined): Promise<Receipt> {
    try {
      if (!Array.isArray(values)) throw invalidType('values', 'an array', values)
      const count = values.length
      if (count === 0) throw invalid('values must be an array of at least one value, got an empty one')
      this.admitCall()
      if (count === 1) return this.#appendOne(values[0], 0, expected)
      let cost = 0
      this.#encodingBatch = true
      try {
        for (let index = 0; index < count; index++) {
          cost += this.#staging.put(this.#codec.encode(values[index], index), index) + RECORD_COST
          this.pending.admitAlone(cost)
        }
      } finally {
        this.#encodingBatch = false
      }
      this.admitCall()
      this.#admit(cost, expected)
      this.#staging.seal(count)
      const promise = this.#enqueue(count, cost)
      this.#crossIfMuch()
      return promise
    } catch (error) {
      this.#rewind()
      return Promise.reject(error)
    }
  }

  /**
   * One record of an `appendAll`, which awaits `drained()` before, so no limit is checked. Consecutive ones share
   * one batch and one entry until they cross. Returns its cost; throws what `append` would reject with.
   */
  take(value: unknown, run: Run): number {
    try {
      const data = this.#codec.encode(value, -1)
      this.admitCall()
      const cost = this.#staging.put(data, -1) + RECORD_COST
      const last = this.#entries.lastStaged
      if (last === undefined || last.resolve !== run.resolve) {
        this.#staging.seal(1)
        this.#push(new Entry(run.resolve, run.reject, this.end, 1, cost))
        this.#crossIfMuch()
        return cost
      }
      this.#staging.sealIntoLast()
      last.count++
      last.cost += cost
      this.end++
      this.pending.bytes += cost
      this.#crossIfMuch()
      return cost
    } catch (error) {
      this.#rewind()
      throw error
    }
  }

  /** Hands over what is staged. */
  flush(): void {
    const staging = this.#staging
    if (staging.sealedRecords === 0) return
    this.#cross(staging.payloads, staging.lengths, staging.batches)
    staging.crossed()
  }

  #crossIfMuch(): void {
    if (this.#staging.isMuch) this.flush()
  }

  flushTick(): void {
    this.#scheduled = false
    this.flush()
  }

  /** Everything below `size` is durable; returns how many records were not before. */
  durable(size: number, hash: Uint8Array): number {
    const records = size - this.mark.size
    if (records <= 0) return 0
    const mark = new Mark(this.#id, size, hash)
    this.mark = mark
    const entries = this.#entries
    if (entries.isEmpty) {
      if (this.end < size) this.end = size // a log opened with readOnly, whose writer is elsewhere
      return records
    }
    for (let entry = entries.shiftBelow(size); entry !== undefined; entry = entries.shiftBelow(size)) {
      this.pending.bytes -= entry.cost
      entry.resolve(new AppendReceipt(entry.offset, entry.count, mark), entry.cost)
    }
    this.#settled()
    return records
  }

  /** The log stopped. What the addon had taken may or may not be there after reopening; what was staged is not. */
  failed(native: NativeError): void {
    const error = this.#fail(fromNative(native, 'unknown'))
    const entries = this.#entries
    if (entries.head < entries.submitted) this.lost = true
    this.#rejectFrom(entries.submitted, failedError(this.#location, error, 'none'))
    this.#staging.drop()
    this.#rewind()
    this.#rejectFrom(entries.head, error)
  }

  /** No more appends. */
  close(): void {
    this.#refusal = 'closed'
  }

  /** The log is closed. Entries that got neither `durable` nor `failed` must not wait for ever. */
  closed(error: Error | undefined): void {
    if (this.#entries.isEmpty) return
    this.lost = true
    const message = `the log in ${this.#location} was closed before this append became durable`
    this.#rejectFrom(
      this.#entries.head,
      new VarveError('VARVE_IO', message, { outcome: 'unknown', path: this.#location, cause: error }),
    )
  }

  /** Throws what an append to this log is refused with, if it is. */
  admitCall(): void {
    if (this.#encodingBatch) throw invalid('append must not be called by what encodes a value')
    switch (this.#refusal) {
      case undefined:
        return
      case 'closed':
        throw closedError(this.#location, 'none')
      case 'readOnly':
        throw readOnlyError(this.#location)
      case 'failed':
        throw failedError(this.#location, this.failure!, 'none')
    }
  }

  #admit(cost: number, expected: number | undefined): void {
    this.pending.admit(cost)
    if (expected !== undefined && expected !== this.end) throw conflictError(expected, this.end)
  }

  /** Takes back what is being encoded. */
  #rewind(): void {
    if (this.#encodingBatch) return // a call from inside an encoder: the open batch is not its own
    this.#staging.rewind()
  }

  #enqueue(count: number, cost: number): Promise<Receipt> {
    const promise = new Promise<Receipt>(capture)
    this.#push(new Entry(newResolve, newReject, this.end, count, cost))
    return promise
  }

  #push(entry: Entry): void {
    if (!this.#holding) this.#session.retain()
    this.#holding = true
    this.#entries.push(entry)
    this.end += entry.count
    this.pending.bytes += entry.cost
    if (this.#scheduled) return
    this.#scheduled = true
    nextTick(flushLater, this)
  }

  #appendDirect(data: Uint8Array, index: number, expected: number | undefined): Promise<Receipt> {
    if (data.length > this.#maxRecordBytes) throw this.#staging.tooLong(data, index)
    const cost = data.length + RECORD_COST
    this.#admit(cost, expected)
    this.flush()
    this.admitCall()
    const promise = this.#enqueue(1, cost)
    this.#cross(data, Uint32Array.of(data.length), Uint32Array.of(1))
    return promise
  }

  /** The crossing. When the addon refuses, it has taken nothing: everything staged is rejected and its offsets are free again. */
  #cross(payloads: Uint8Array, lengths: Uint32Array, batches: Uint32Array): void {
    let error: Error
    try {
      const refused = this.#binding.submit(this.#log, payloads, lengths, batches)
      if (refused === undefined) {
        this.#entries.submitted = this.#entries.tail
        if (this.#entries.isSingle) this.#session.alone()
        return
      }
      error = fromNative(refused, 'none')
      if (refused.code === 'VARVE_FAILED') this.#fail(fromNative(refused.cause ?? refused, 'unknown'))
    } catch (thrown) {
      error = thrown as Error // a defect of the addon: its own calls return their errors
    }
    this.#rejectFrom(this.#entries.submitted, error)
  }

  #fail(error: Error): Error {
    if (this.failure === undefined && error instanceof VarveError) this.failure = error
    if (this.#refusal === undefined) this.#refusal = 'failed'
    return this.failure ?? error
  }

  /** Rejects the entries from `from` on, which are the newest. Staged bytes are theirs. */
  #rejectFrom(from: number, error: unknown): void {
    const taken = this.#entries.takeFrom(from)
    if (taken.length === 0) return
    this.end = taken[0]!.offset
    for (const entry of taken) {
      this.pending.bytes -= entry.cost
      entry.reject(error, entry.count)
    }
    this.#settled()
  }

  /** Some entries settled: lets the process end and wakes `drained()` where that is due. */
  #settled(): void {
    if (this.#holding && this.#entries.isEmpty) {
      this.#holding = false
      this.#session.release()
    }
    this.pending.wake()
  }
}
