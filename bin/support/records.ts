/**
 * Records out of streams of bytes: lines, ndjson or length-prefixed. Gives them one by one, without a promise each: only
 * when more bytes are needed a step is a promise. A bad record ends it, and names its file and line.
 */
import { isUtf8 } from 'node:buffer'
import { EXIT, Failure } from './failure.js'

export const FORMATS = ['ndjson', 'lines', 'length-prefixed'] as const
export type Format = (typeof FORMATS)[number]

/** What payloads of a log must be. */
export type Check = 'json' | 'utf8' | 'bytes'

/** One stream of bytes with its name. */
export interface Input {
  readonly name: string
  open(): AsyncIterable<Uint8Array>
}

/** A record that cannot be appended. */
class BadRecord extends Failure {
  constructor(
    readonly where: string,
    what: string,
  ) {
    super(`${where}: ${what}`, 'BAD_INPUT', EXIT.data, { where })
  }
}

const NEWLINE = 0x0a
const PREFIX_BYTES = 4

type Step = IteratorResult<Buffer>

export class Records implements AsyncIterable<Buffer> {
  /** Bytes read so far. */
  bytesRead = 0
  readonly #inputs: Iterator<Input>
  readonly #format: Format
  readonly #check: Check
  readonly #maxBytes: number
  #input: Input | undefined
  #pieces: AsyncIterator<Uint8Array> | undefined
  /** What was read and not given: begins at `#at`. */
  #bytes: Buffer = Buffer.alloc(0)
  /** The memory that `#bytes` is the beginning of, where it is ours and has room. */
  #room: Buffer = Buffer.alloc(0)
  #at = 0
  /** Everything before this was searched for a newline. */
  #searched = 0
  /** Number of the next record in this file: its line, or its count. */
  #number = 1

  constructor(inputs: Iterable<Input>, format: Format, check: Check, maxBytes: number) {
    this.#inputs = inputs[Symbol.iterator]()
    this.#format = format
    this.#check = check
    this.#maxBytes = maxBytes
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Not `async`: while there are bytes, a step is no promise. */
  next(): any {
    const record = this.#next()
    return record === undefined ? this.#readOn() : { value: record, done: false }
  }

  async return(): Promise<Step> {
    await this.#pieces?.return?.()
    return { value: undefined, done: true }
  }

  async #readOn(): Promise<Step> {
    for (;;) {
      if (this.#pieces === undefined) {
        const next = this.#inputs.next()
        if (next.done) return { value: undefined, done: true }
        this.#begin(next.value)
      }
      const { value: piece, done } = await this.#pieces!.next()
      if (done) {
        this.#pieces = undefined
        const last = this.#last()
        if (last !== undefined) return { value: last, done: false }
        continue
      }
      this.#add(piece)
      const record = this.#next()
      if (record !== undefined) return { value: record, done: false }
    }
  }

  #begin(input: Input): void {
    this.#input = input
    this.#pieces = input.open()[Symbol.asyncIterator]()
    this.#bytes = this.#room = Buffer.alloc(0)
    this.#at = 0
    this.#searched = 0
    this.#number = 1
  }

  #add(piece: Uint8Array): void {
    this.bytesRead += piece.length
    const left = this.#bytes.length - this.#at
    if (left > 0 && this.#bytes.length + piece.length <= this.#room.length) {
      this.#room.set(piece, this.#bytes.length)
      this.#bytes = this.#room.subarray(0, this.#bytes.length + piece.length)
      return
    }
    const rest = this.#bytes.subarray(this.#at)
    this.#searched -= this.#at
    this.#at = 0
    if (left === 0) {
      this.#bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length)
      this.#room = this.#bytes.subarray(0, 0)
      return
    }
    // Room for as much again: a record of many pieces is not copied for each of them.
    this.#room = Buffer.allocUnsafe(2 * (left + piece.length))
    this.#room.set(rest)
    this.#room.set(piece, left)
    this.#bytes = this.#room.subarray(0, left + piece.length)
  }

  /** The next whole record in what was read. */
  #next(): Buffer | undefined {
    if (this.#format === 'length-prefixed') return this.#prefixed()
    for (;;) {
      const end = this.#bytes.indexOf(NEWLINE, Math.max(this.#at, this.#searched))
      if (end < 0) {
        this.#searched = this.#bytes.length
        if (this.#bytes.length - this.#at > this.#maxBytes + 1) throw this.#tooLong('the line is')
        return undefined
      }
      const line = this.#bytes.subarray(this.#at, end)
      this.#at = end + 1
      const record = this.#line(line)
      if (record !== undefined) return record
    }
  }

  #line(line: Buffer): Buffer | undefined {
    const number = this.#number++
    const text = line.at(-1) === 0x0d ? line.subarray(0, -1) : line
    if (this.#format === 'lines') return this.#checked(text, number)
    const bom = number === 1 && text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf
    const json = bom ? text.subarray(3) : text
    return isBlank(json) ? undefined : this.#checked(json, number)
  }

  #prefixed(): Buffer | undefined {
    const left = this.#bytes.length - this.#at
    if (left < PREFIX_BYTES) return undefined
    const length = this.#bytes.readUInt32LE(this.#at)
    if (length > this.#maxBytes) throw this.#tooLong(`${length} bytes,`)
    if (left < PREFIX_BYTES + length) return undefined
    const start = this.#at + PREFIX_BYTES
    this.#at = start + length
    return this.#checked(this.#bytes.subarray(start, this.#at), this.#number++)
  }

  /** What stands behind the last newline, at the end of a file. */
  #last(): Buffer | undefined {
    const rest = this.#bytes.subarray(this.#at)
    this.#at = this.#bytes.length
    if (rest.length === 0) return undefined
    if (this.#format === 'length-prefixed') throw this.#bad(this.#number, 'the input ends inside a record')
    return this.#line(rest)
  }

  #checked(record: Buffer, number: number): Buffer {
    if (record.length > this.#maxBytes) throw this.#tooLong(`${record.length} bytes,`, number)
    if ((this.#check !== 'bytes' || this.#format === 'ndjson') && !isUtf8(record)) {
      throw this.#bad(number, 'not valid UTF-8')
    }
    if (this.#check === 'json' || this.#format === 'ndjson') {
      try {
        JSON.parse(record.toString())
      } catch (error) {
        throw this.#bad(number, `not JSON (${(error as Error).message})`)
      }
    }
    return record
  }

  #tooLong(what: string, number = this.#number): BadRecord {
    return this.#bad(number, `${what} over the limit of ${this.#maxBytes} bytes; raise it with --max-record-bytes`)
  }

  #bad(number: number, what: string): BadRecord {
    const place =
      this.#format === 'length-prefixed' ? `${this.#input!.name}: record ${number}` : `${this.#input!.name}:${number}`
    return new BadRecord(place, what)
  }
}

function isBlank(line: Buffer): boolean {
  for (const byte of line) if (byte !== 0x20 && byte !== 0x09) return false
  return true
}
