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
/** What a log has for itself from its first append on, and how far that grows with what it stages at a time. */
const OWN = { bytes: 2 * 1024, records: 32, bytesMax: 32 * 1024, recordsMax: 512 }
/** What it borrows for more. A batch may make that larger; up to the second sizes it is kept for the next borrower. */
const SHARED = { bytes: 256 * 1024, records: 4096, bytesMax: 2 * 1024 * 1024, recordsMax: 64 * 1024, kept: 4 }

/** Room for payloads, their lengths and the records of each batch. */
interface Room {
  bytes: Utf8Buffer
  lengths: Uint32Array
  batches: Uint32Array
}

const NO_ROOM: Room = newRoom(0, 0)

/**
 * Given back by the logs of this thread. (When every log kept such a room, those that had seen a few small appends took
 * 40 KiB each for it: `npm run bench -- --only logs`, memory of an idle log.)
 */
const shared: Room[] = []

/** `least`, or the power of two that holds `count`. */
function sizeFor(count: number, least: number): number {
  return Math.max(least, 2 ** Math.ceil(Math.log2(count)))
}

function newRoom(bytes: number, records: number): Room {
  return {
    bytes: Buffer.allocUnsafeSlow(bytes) as Utf8Buffer,
    lengths: new Uint32Array(records),
    batches: new Uint32Array(records),
  }
}

export class Staging {
  /** Records in whole batches. */
  sealedRecords = 0
  readonly #maxRecordBytes: number
  /** Hands over the whole batches, to make room. */
  readonly #cross: () => void
  /** The log's own. */
  #own = NO_ROOM
  #bytes = NO_ROOM.bytes
  #lengths = NO_ROOM.lengths
  #batches = NO_ROOM.batches
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
    if (this.#records === 0 && this.#bytes !== this.#own.bytes) this.#giveBack()
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
    if (!this.#lacks(length)) return
    if (this.#bytes.length < SHARED.bytes) this.#widen(length)
    if (!this.#lacks(length)) return
    this.#cross()
    if (this.#bytes.length < SHARED.bytes) this.#widen(length) // the crossing has given back what was borrowed
    if (!this.#lacks(length)) return
    const records = sizeFor(this.#records + 1, this.#lengths.length)
    this.#moveTo(newRoom(sizeFor(this.#cursor + length, this.#bytes.length), records))
  }

  #lacks(length: number): boolean {
    return this.#cursor + length > this.#bytes.length || this.#records === this.#lengths.length
  }

  /** From nothing to the log's own room, to a larger one, and to one that is shared. */
  #widen(length: number): void {
    const bytes = sizeFor(this.#cursor + length, Math.max(OWN.bytes, this.#own.bytes.length))
    const records = sizeFor(this.#records + 1, Math.max(OWN.records, this.#own.lengths.length))
    if (bytes > OWN.bytesMax || records > OWN.recordsMax) {
      this.#moveTo(shared.pop() ?? newRoom(SHARED.bytes, SHARED.records))
    } else {
      if (bytes > this.#own.bytes.length || records > this.#own.lengths.length) this.#own = newRoom(bytes, records)
      this.#moveTo(this.#own)
    }
  }

  /** Goes on in another room, with what is staged. */
  #moveTo({ bytes, lengths, batches }: Room): void {
    bytes.set(this.#bytes.subarray(0, this.#cursor))
    lengths.set(this.#lengths.subarray(0, this.#records))
    batches.set(this.#batches.subarray(0, this.#batchCount))
    this.#bytes = bytes
    this.#lengths = lengths
    this.#batches = batches
  }

  #giveBack(): void {
    const room = { bytes: this.#bytes, lengths: this.#lengths, batches: this.#batches }
    const usual = room.bytes.length <= SHARED.bytesMax && room.lengths.length <= SHARED.recordsMax
    if (usual && shared.length < SHARED.kept) shared.push(room)
    this.#moveTo(this.#own)
  }
}
