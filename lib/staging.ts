/**
 * What was appended and has not crossed yet, as the addon takes it: payloads one after another, their lengths, and the
 * records of each batch.
 *
 * Invariant: up to the sealed point lie whole batches; after it at most one batch that is being encoded, so taking
 * that one back is moving the cursor to the sealed point.
 */
import type { Utf8Buffer } from './encoding.js'
import { invalidRange } from './errors.js'

/** As much as this crosses at once, not at the end of the tick: the engine works on it while JavaScript stages more. */
const CROSSING_BYTES = 64 * 1024
const CROSSING_RECORDS = 512
/** First size of the buffer. A batch may make it larger, and up to the second size it stays so. */
const BUFFER_BYTES = 256 * 1024
const BUFFER_BYTES_KEPT = 2 * 1024 * 1024
const TABLE_RECORDS = 4096

const EMPTY = Buffer.alloc(0) as Utf8Buffer

export class Staging {
  /** Records in whole batches. */
  sealedRecords = 0
  readonly #maxRecordBytes: number
  /** Hands over the whole batches, to make room. */
  readonly #cross: () => void
  #bytes = EMPTY
  #lengths = new Uint32Array(0)
  #batches = new Uint32Array(0)
  #batchCount = 0
  #cursor = 0
  #records = 0
  #sealedBytes = 0

  constructor(maxRecordBytes: number, cross: () => void) {
    this.#maxRecordBytes = maxRecordBytes
    this.#cross = cross
  }

  /** Whether the whole batches are worth a crossing of their own. */
  get isMuch(): boolean {
    return this.#sealedBytes >= CROSSING_BYTES || this.sealedRecords >= CROSSING_RECORDS
  }

  // The whole batches, as views.
  get payloads(): Uint8Array {
    return this.#bytes.subarray(0, this.#sealedBytes)
  }
  get lengths(): Uint32Array {
    return this.#lengths.subarray(0, this.sealedRecords)
  }
  get batches(): Uint32Array {
    return this.#batches.subarray(0, this.#batchCount)
  }

  /** Writes one payload at the cursor; returns its length. `index` is its place in a batch, or -1. */
  put(data: string | Uint8Array, index: number): number {
    const max = this.#maxRecordBytes
    if (data.length > max) throw this.tooLong(data, index) // a string has at least as many bytes as units
    if (this.#records === this.#lengths.length) this.#makeRoom(0)
    let length: number
    if (typeof data === 'string') {
      // Three bytes a unit are always enough; only near the end of the buffer it pays to count.
      if (this.#cursor + data.length * 3 > this.#bytes.length) this.#makeRoom(Buffer.byteLength(data))
      length = this.#bytes.utf8Write(data, this.#cursor)
      if (length > max) throw this.tooLong(data, index)
    } else {
      length = data.length
      if (this.#cursor + length > this.#bytes.length) this.#makeRoom(length)
      this.#bytes.set(data, this.#cursor)
    }
    this.#lengths[this.#records++] = length
    this.#cursor += length
    return length
  }

  tooLong(data: string | Uint8Array, index: number): RangeError {
    const name = index < 0 ? 'value' : `values[${index}]`
    const must = `at most maxRecordBytes = ${this.#maxRecordBytes} bytes`
    return invalidRange(name, must, typeof data === 'string' ? Buffer.byteLength(data) : data.length)
  }

  /** What lies after the sealed point becomes one batch. */
  seal(count: number): void {
    this.#batches[this.#batchCount++] = count
    this.#moveSeal()
  }

  /** What lies after the sealed point becomes the last record of the last batch. */
  sealIntoLast(): void {
    this.#batches[this.#batchCount - 1]!++
    this.#moveSeal()
  }

  /** Takes back what lies after the sealed point. */
  rewind(): void {
    this.#cursor = this.#sealedBytes
    this.#records = this.sealedRecords
  }

  /** The whole batches have crossed: what is being encoded moves to the front. */
  crossed(): void {
    this.#bytes.copyWithin(0, this.#sealedBytes, this.#cursor)
    this.#lengths.copyWithin(0, this.sealedRecords, this.#records)
    this.#cursor -= this.#sealedBytes
    this.#records -= this.sealedRecords
    this.#unseal()
    if (this.#cursor === 0 && this.#bytes.length > BUFFER_BYTES_KEPT) this.#bytes = EMPTY
  }

  /** Forgets the whole batches. */
  drop(): void {
    this.#unseal()
  }

  #moveSeal(): void {
    this.#sealedBytes = this.#cursor
    this.sealedRecords = this.#records
  }

  #unseal(): void {
    this.#sealedBytes = 0
    this.sealedRecords = 0
    this.#batchCount = 0
  }

  /** Room for one more record of `length` bytes at the cursor: whole batches cross, and if need be the buffer grows. */
  #makeRoom(length: number): void {
    if (this.#cursor + length > this.#bytes.length || this.#records === this.#lengths.length) this.#cross()
    if (this.#cursor + length > this.#bytes.length) {
      const size = 2 ** Math.ceil(Math.log2(this.#cursor + length))
      const grown = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, size)) as Utf8Buffer
      grown.set(this.#bytes.subarray(0, this.#cursor))
      this.#bytes = grown
    }
    if (this.#records === this.#lengths.length) {
      const grown = new Uint32Array(Math.max(TABLE_RECORDS, this.#records * 2))
      grown.set(this.#lengths)
      this.#lengths = grown
      this.#batches = new Uint32Array(grown.length) // empty here: they have just crossed
    }
  }
}
