/**
 * `get` for many at a time: the offsets asked for in one tick cross the boundary together, at most in two parts, which
 * two engine threads look up.
 *
 * (100 gets in flight over 1 M records of 256 B in the page cache, on two cores: twice as many a second as with a call
 * each, and four times that where `cacheBytes` holds the log.) Where a part fails, each of its records is asked for
 * alone, so that everyone gets their own error.
 */
import type { Codec, Utf8Buffer } from './encoding.js'
import type { NativeChunk } from './native.js'
import type { LogRecord } from './types.js'

/** Fewer are not worth a second thread. */
const PART_MIN = 8
/** At load: a test may replace it, and the promise must not depend on that. */
const nextTick = process.nextTick

interface Waiting<T> {
  readonly offset: number
  resolve(record: LogRecord<T> | undefined): void
  reject(error: unknown): void
}

export class Lookup<T> {
  readonly #codec: Codec
  readonly #ask: (offsets: Float64Array) => Promise<NativeChunk>
  #waiting: Waiting<T>[] = []
  /** Parts that are not answered yet. */
  #underWay = 0

  constructor(codec: Codec, ask: (offsets: Float64Array) => Promise<NativeChunk>) {
    this.#codec = codec
    this.#ask = ask
  }

  get(offset: number): Promise<LogRecord<T> | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ offset, resolve, reject }) === 1) nextTick(() => this.flush())
    })
  }

  /** Asks for what waits. */
  flush(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    // Halved once; from then on each half's answers bring the next half.
    const whole = this.#underWay > 0 || waiting.length < 2 * PART_MIN
    const half = whole ? waiting.length : waiting.length >> 1
    this.#send(waiting.slice(0, half))
    if (half < waiting.length) this.#send(waiting.slice(half))
  }

  #send(part: Waiting<T>[]): void {
    this.#underWay++
    this.#ask(Float64Array.from(part, ({ offset }) => offset)).then(
      native => {
        this.#underWay--
        this.#settle(part, native)
      },
      error => {
        this.#underWay--
        if (part.length === 1) part[0]!.reject(error)
        else for (const one of part) this.#send([one])
      },
    )
  }

  #settle(part: Waiting<T>[], { buffer, count }: NativeChunk): void {
    const table = new DataView(buffer.buffer, buffer.byteOffset, 12 * count)
    let start = 12 * count
    for (let index = 0; index < count; index++) {
      const { offset, resolve, reject } = part[index]!
      const time = table.getFloat64(8 * index, true)
      const end = 12 * count + table.getUint32(8 * count + 4 * index, true)
      try {
        resolve(Number.isNaN(time) ? undefined : { offset, time, value: this.#decode(buffer.subarray(start, end)) })
      } catch (error) {
        reject(error)
      }
      start = end
    }
    if (count < part.length) this.#send(part.slice(count))
  }

  /** From bytes of its own: a value that is kept must not keep those of the others. */
  #decode(payload: Uint8Array): T {
    const own = Buffer.from(payload) as Utf8Buffer
    return this.#codec.decode(own, 0, own.length) as T
  }
}
