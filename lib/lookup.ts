/**
 * `get` for many at a time: the offsets asked for in one tick cross the boundary together, in parts that engine threads
 * look up while the answers to earlier ones come in.
 *
 * A part crosses as soon as a quarter of the gets in flight wait for it, so that no thread is out of work while
 * JavaScript takes answers. (100 gets in flight over 1 M records of 256 B in the page cache, on two cores: 1.15 times as
 * many a second as with two halves, more than twice as many as with a call each.) Where a part fails, each of its
 * records is asked for alone, so that everyone gets their own error.
 */
import type { Codec, Utf8Buffer } from './encoding.js'
import { nextTick } from './later.js'
import type { NativeChunk } from './native.js'
import type { LogRecord } from './types.js'

/** Fewer are not worth a call while more may come in this tick; with more, threads would wait for large parts. */
const PART_MIN = 16
const PART_MAX = 256
/** Values may share as much memory: so do small Buffers that Node makes. */
const SHARED_MAX = 8 * 1024

interface Waiting<T> {
  readonly offset: number
  resolve(record: LogRecord<T> | undefined): void
  reject(error: unknown): void
}

export class Lookup<T> {
  readonly #codec: Codec
  readonly #ask: (offsets: Float64Array) => Promise<NativeChunk>
  #waiting: Waiting<T>[] = []
  /** Gets that are not answered yet. */
  #inFlight = 0

  constructor(codec: Codec, ask: (offsets: Float64Array) => Promise<NativeChunk>) {
    this.#codec = codec
    this.#ask = ask
  }

  get(offset: number): Promise<LogRecord<T> | undefined> {
    return new Promise((resolve, reject) => {
      this.#inFlight++
      const waiting = this.#waiting.push({ offset, resolve, reject })
      if (waiting >= PART_MIN && waiting >= Math.min(this.#inFlight >> 2, PART_MAX)) this.flush()
      else if (waiting === 1) nextTick(() => this.flush())
    })
  }

  /** Some are not answered yet. */
  get isAsked(): boolean {
    return this.#inFlight > 0
  }

  /** Asks for what waits. */
  flush(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    this.#send(waiting)
  }

  #send(part: Waiting<T>[]): void {
    this.#ask(Float64Array.from(part, ({ offset }) => offset)).then(
      native => this.#settle(part, native),
      error => {
        if (part.length > 1) for (const one of part) this.#send([one])
        else {
          this.#inFlight--
          part[0]!.reject(error)
        }
      },
    )
  }

  #settle(part: Waiting<T>[], { buffer, count }: NativeChunk): void {
    this.#inFlight -= count
    const payloads = 12 * count
    const table = new DataView(buffer.buffer, buffer.byteOffset, payloads)
    const all = Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength) as Utf8Buffer
    const shared = this.#codec.parse !== undefined || all.length - payloads <= SHARED_MAX
    let start = payloads
    for (let index = 0; index < count; index++) {
      const { offset, resolve, reject } = part[index]!
      const time = table.getFloat64(8 * index, true)
      const end = payloads + table.getUint32(8 * count + 4 * index, true)
      try {
        if (Number.isNaN(time)) resolve(undefined)
        else resolve({ offset, time, value: shared ? this.#decode(all, start, end) : this.#decodeOwn(all, start, end) })
      } catch (error) {
        reject(error)
      }
      start = end
    }
    if (count < part.length) this.#send(part.slice(count))
  }

  #decode(bytes: Utf8Buffer, start: number, end: number): T {
    return this.#codec.decode(bytes, start, end) as T
  }

  /** From bytes of its own: a value that is kept must not keep many others. */
  #decodeOwn(bytes: Utf8Buffer, start: number, end: number): T {
    const own = Buffer.from(bytes.subarray(start, end)) as Utf8Buffer
    return this.#decode(own, 0, own.length)
  }
}
