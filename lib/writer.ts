/**
 * This side of the append protocol: staging and watermark.
 *
 *   append → encode into `#bytes` (ours) → at the end of the tick, or when it is much, one `submit` of what is staged,
 *   which the addon copies before it returns → some time later `durable(size)` → every entry whose records lie below `size` resolves.
 *
 * Invariants:
 * - Offsets are dense in call order: `end` is the next one, counted here. Entries wait in a FIFO in offset order;
 *   those before `#submitted` were taken by the addon, the others are staged.
 * - The staging holds whole batches up to the sealed point; after it lies at most one batch that is being encoded, so
 *   taking it back is moving the cursor to the sealed point.
 * - Nothing is taken before it has been encoded and admitted, and nothing that was taken is ever dropped.
 */
import { onAbort } from './abort.js'
import type { Codec, Utf8Buffer } from './encoding.js'
import {
  busyError,
  closedError,
  conflictError,
  failedError,
  fromNative,
  invalid,
  invalidRange,
  invalidType,
  readOnlyError,
  VarveError,
} from './errors.js'
import type { Binding, NativeError } from './native.js'
import { AppendReceipt, Mark } from './receipt.js'
import type { Session } from './session.js'
import type { Receipt } from './types.js'

/** Counted for each record besides its payload: what a pending append costs in memory. */
export const RECORD_COST = 256
/**
 * What is staged crosses at the end of the tick, or at once when it is as much as this: the engine then works on it
 * while JavaScript stages more. With 1,000 writers of 256 B that is 1.3 times as many records/s.
 */
const CROSSING_BYTES = 64 * 1024
const CROSSING_RECORDS = 512
const STAGING_BYTES = 256 * 1024
/** A batch may make the staging larger; up to here it stays so. */
const STAGING_BYTES_KEPT = 2 * 1024 * 1024
const STAGING_RECORDS = 4096
/** From this size on a payload crosses from the caller's memory, without a copy in the staging. */
const DIRECT_BYTES = 64 * 1024

const EMPTY = Buffer.alloc(0) as Utf8Buffer

/** Captured at load, before anybody can patch it. */
const nextTick = process.nextTick

type Resolve = (receipt: Receipt, cost: number) => void
type Reject = (error: unknown, count: number) => void

/** One call that waits. */
class Entry {
  constructor(
    readonly resolve: Resolve,
    readonly reject: Reject,
    readonly offset: number,
    public count: number,
    /** Payload + RECORD_COST a record. */
    public cost: number,
  ) {}
}

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
  pendingBytes = 0
  /** The error that stopped the log. */
  failure: VarveError | undefined
  /** Something accepted could not be made durable. */
  lost = false
  readonly maxPendingBytes: number

  readonly #session: Session
  readonly #binding: Binding
  readonly #log: number
  readonly #location: string
  readonly #id: string
  readonly #codec: Codec
  readonly #maxRecordBytes: number
  readonly #hardLimit: number
  /** Why appends are refused, if they are. */
  #refusal: 'closed' | 'failed' | 'readOnly' | undefined
  #encodingBatch = false

  #bytes = EMPTY
  #lengths = new Uint32Array(0)
  #batches = new Uint32Array(0)
  #batchCount = 0
  #cursor = 0
  #records = 0
  #sealedBytes = 0
  #sealedRecords = 0
  #scheduled = false

  #ring: (Entry | undefined)[] = new Array(64).fill(undefined)
  #head = 0 // these three only grow; the slot is `n & (length - 1)`
  #submitted = 0
  #tail = 0
  #drains = new Set<() => void>()

  constructor(session: Session, codec: Codec, options: WriterOptions) {
    this.#session = session
    this.#binding = session.binding
    this.#codec = codec
    this.#log = options.log
    this.#location = options.location
    this.#id = options.id
    this.#maxRecordBytes = options.maxRecordBytes
    this.#hardLimit = 4 * options.maxPendingBytes
    this.#refusal = options.readOnly ? 'readOnly' : undefined
    this.maxPendingBytes = options.maxPendingBytes
    this.end = options.size
    this.mark = new Mark(options.id, options.size, options.hash)
  }

  append(value: unknown, expected: number | undefined): Promise<Receipt> {
    try {
      const data = this.#codec.encode(value, -1)
      this.admitCall()
      if (typeof data !== 'string' && data.length >= DIRECT_BYTES) return this.#appendDirect(data, expected)
      const cost = this.#put(data, -1) + RECORD_COST
      this.#admit(cost, expected)
      this.#seal(1)
      const promise = this.#enqueue(1, cost)
      this.#crossIfMany()
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
      let cost = 0
      this.#encodingBatch = true
      try {
        for (let index = 0; index < count; index++) {
          cost += this.#put(this.#codec.encode(values[index], index), index) + RECORD_COST
          if (cost > this.#hardLimit) throw this.#overLimit(cost)
        }
      } finally {
        this.#encodingBatch = false
      }
      this.admitCall()
      this.#admit(cost, expected)
      this.#seal(count)
      const promise = this.#enqueue(count, cost)
      this.#crossIfMany()
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
      const cost = this.#put(data, -1) + RECORD_COST
      const last = this.#tail > this.#submitted ? this.#ring[(this.#tail - 1) & (this.#ring.length - 1)] : undefined
      if (last === undefined || last.resolve !== run.resolve) {
        this.#seal(1)
        this.#push(new Entry(run.resolve, run.reject, this.end, 1, cost))
        this.#crossIfMany()
        return cost
      }
      this.#sealedBytes = this.#cursor
      this.#sealedRecords = this.#records
      this.#batches[this.#batchCount - 1]!++
      last.count++
      last.cost += cost
      this.end++
      this.pendingBytes += cost
      this.#crossIfMany()
      return cost
    } catch (error) {
      this.#rewind()
      throw error
    }
  }

  /** Hands over what is staged. */
  flush(): void {
    if (this.#sealedRecords === 0) return
    this.#cross(
      this.#bytes.subarray(0, this.#sealedBytes),
      this.#lengths.subarray(0, this.#sealedRecords),
      this.#batches.subarray(0, this.#batchCount),
    )
    // A batch that is being encoded moves to the front.
    this.#bytes.copyWithin(0, this.#sealedBytes, this.#cursor)
    this.#lengths.copyWithin(0, this.#sealedRecords, this.#records)
    this.#cursor -= this.#sealedBytes
    this.#records -= this.#sealedRecords
    this.#unstage()
    if (this.#cursor === 0 && this.#bytes.length > STAGING_BYTES_KEPT) this.#bytes = EMPTY
  }

  #crossIfMany(): void {
    if (this.#sealedBytes >= CROSSING_BYTES || this.#sealedRecords >= CROSSING_RECORDS) this.flush()
  }

  flushTick(): void {
    this.#scheduled = false
    this.flush()
  }

  /** Everything below `size` is durable. */
  durable(size: number, hash: Uint8Array): void {
    if (size <= this.mark.size) return
    const mark = new Mark(this.#id, size, hash)
    this.mark = mark
    if (this.#head === this.#tail) {
      if (this.end < size) this.end = size // a log opened with readOnly, whose writer is elsewhere
      return
    }
    const ring = this.#ring
    const mask = ring.length - 1
    let head = this.#head
    for (; head < this.#tail; head++) {
      const entry = ring[head & mask]!
      if (entry.offset + entry.count > size) break
      ring[head & mask] = undefined
      this.pendingBytes -= entry.cost
      entry.resolve(new AppendReceipt(entry.offset, entry.count, mark), entry.cost)
    }
    this.#head = head
    this.#settled()
  }

  /** The log stopped. What the addon had taken may or may not be there after reopening; what was staged is not. */
  failed(native: NativeError): void {
    const error = this.#fail(fromNative(native, 'unknown'))
    if (this.#head < this.#submitted) this.lost = true
    this.#rejectFrom(this.#submitted, failedError(this.#location, error, 'none'))
    this.#unstage()
    this.#rewind()
    this.#rejectFrom(this.#head, error)
  }

  /** No more appends. */
  close(): void {
    this.#refusal = 'closed'
  }

  /** The log is closed. Entries that got neither `durable` nor `failed` must not wait for ever. */
  closed(error: Error | undefined): void {
    if (this.#head === this.#tail) return
    this.lost = true
    const message = `the log in ${this.#location} was closed before this append became durable`
    this.#rejectFrom(
      this.#head,
      new VarveError('VARVE_IO', message, { outcome: 'unknown', path: this.#location, cause: error }),
    )
  }

  drained(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.pendingBytes <= this.maxPendingBytes) return Promise.resolve()
    return new Promise((resolve, reject) => {
      let stopListening: (() => void) | undefined
      const wake = () => {
        stopListening?.()
        resolve()
      }
      this.#drains.add(wake)
      if (signal === undefined) return
      stopListening = onAbort(signal, () => {
        this.#drains.delete(wake)
        reject(signal.reason)
      })
    })
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
    if (this.pendingBytes + cost > this.#hardLimit) {
      if (cost > this.#hardLimit) throw this.#overLimit(cost)
      throw busyError(this.pendingBytes, cost, this.#hardLimit)
    }
    if (expected !== undefined && expected !== this.end) throw conflictError(expected, this.end)
  }

  #overLimit(cost: number): RangeError {
    const must = `at most 4 × maxPendingBytes = ${this.#hardLimit} bytes in one call (payload + ${RECORD_COST} a record)`
    return invalidRange('an append', must, cost)
  }

  /** Writes one payload at the cursor; returns its length. */
  #put(data: string | Uint8Array, index: number): number {
    const max = this.#maxRecordBytes
    if (data.length > max) throw this.#tooLong(data, index) // a string has at least as many bytes as units
    if (this.#records === this.#lengths.length) this.#makeRoom(0)
    let length: number
    if (typeof data === 'string') {
      // Three bytes a unit are always enough; only near the end of the staging it pays to count.
      if (this.#cursor + data.length * 3 > this.#bytes.length) this.#makeRoom(Buffer.byteLength(data))
      length = this.#bytes.utf8Write(data, this.#cursor)
      if (length > max) throw this.#tooLong(data, index)
    } else {
      length = data.length
      if (this.#cursor + length > this.#bytes.length) this.#makeRoom(length)
      this.#bytes.set(data, this.#cursor)
    }
    this.#lengths[this.#records++] = length
    this.#cursor += length
    return length
  }

  #tooLong(data: string | Uint8Array, index: number): RangeError {
    const name = index < 0 ? 'value' : `values[${index}]`
    const must = `at most maxRecordBytes = ${this.#maxRecordBytes} bytes`
    return invalidRange(name, must, typeof data === 'string' ? Buffer.byteLength(data) : data.length)
  }

  /** Room for one more record of `length` bytes at the cursor: whole batches cross, and if need be the staging grows. */
  #makeRoom(length: number): void {
    if (this.#cursor + length > this.#bytes.length || this.#records === this.#lengths.length) this.flush()
    if (this.#cursor + length > this.#bytes.length) {
      const size = 2 ** Math.ceil(Math.log2(this.#cursor + length))
      const grown = Buffer.allocUnsafeSlow(Math.max(STAGING_BYTES, size)) as Utf8Buffer
      grown.set(this.#bytes.subarray(0, this.#cursor))
      this.#bytes = grown
    }
    if (this.#records === this.#lengths.length) {
      const grown = new Uint32Array(Math.max(STAGING_RECORDS, this.#records * 2))
      grown.set(this.#lengths)
      this.#lengths = grown
      this.#batches = new Uint32Array(grown.length) // empty here: they have just crossed
    }
  }

  /** What lies before the cursor and after the sealed point becomes one batch. */
  #seal(count: number): void {
    this.#sealedBytes = this.#cursor
    this.#sealedRecords = this.#records
    this.#batches[this.#batchCount++] = count
  }

  /** Takes back what is being encoded. */
  #rewind(): void {
    if (this.#encodingBatch) return // a call from inside an encoder: the open batch is not its own
    this.#cursor = this.#sealedBytes
    this.#records = this.#sealedRecords
  }

  #unstage(): void {
    this.#sealedBytes = 0
    this.#sealedRecords = 0
    this.#batchCount = 0
  }

  #enqueue(count: number, cost: number): Promise<Receipt> {
    const promise = new Promise<Receipt>(capture)
    this.#push(new Entry(newResolve, newReject, this.end, count, cost))
    return promise
  }

  #push(entry: Entry): void {
    if (this.#head === this.#tail) this.#session.retain()
    if (this.#tail - this.#head === this.#ring.length) this.#growRing()
    this.#ring[this.#tail++ & (this.#ring.length - 1)] = entry
    this.end += entry.count
    this.pendingBytes += entry.cost
    if (this.#scheduled) return
    this.#scheduled = true
    nextTick(flushLater, this)
  }

  #growRing(): void {
    const grown: (Entry | undefined)[] = new Array(this.#ring.length * 2).fill(undefined)
    for (let at = this.#head; at < this.#tail; at++) {
      grown[at & (grown.length - 1)] = this.#ring[at & (this.#ring.length - 1)]
    }
    this.#ring = grown
  }

  #appendDirect(data: Uint8Array, expected: number | undefined): Promise<Receipt> {
    if (data.length > this.#maxRecordBytes) throw this.#tooLong(data, -1)
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
        this.#submitted = this.#tail
        return
      }
      error = fromNative(refused, 'none')
      if (refused.code === 'VARVE_FAILED') this.#fail(fromNative(refused.cause ?? refused, 'unknown'))
    } catch (thrown) {
      error = thrown as Error // a defect of the addon: its own calls return their errors
    }
    this.#rejectFrom(this.#submitted, error)
  }

  #fail(error: Error): Error {
    if (this.failure === undefined && error instanceof VarveError) this.failure = error
    if (this.#refusal === undefined) this.#refusal = 'failed'
    return this.failure ?? error
  }

  /** Rejects the entries from `from` on, which are the newest. Staged bytes are theirs. */
  #rejectFrom(from: number, error: unknown): void {
    if (from === this.#tail) return
    const mask = this.#ring.length - 1
    const tail = this.#tail
    this.#tail = from
    if (this.#submitted > from) this.#submitted = from
    this.end = this.#ring[from & mask]!.offset
    for (let at = from; at < tail; at++) {
      const entry = this.#ring[at & mask]!
      this.#ring[at & mask] = undefined
      this.pendingBytes -= entry.cost
      entry.reject(error, entry.count)
    }
    this.#settled()
  }

  /** Some entries settled: lets the process end and wakes `drained()` where that is due. */
  #settled(): void {
    if (this.#head === this.#tail) this.#session.release()
    if (this.#drains.size === 0 || this.pendingBytes > this.maxPendingBytes) return
    const drains = this.#drains
    this.#drains = new Set()
    for (const wake of drains) wake()
  }
}
