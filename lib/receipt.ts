/** Heads and receipts: what a caller keeps. The hash becomes hex only when somebody reads it. */
import type { Head, Receipt } from './types.js'

/** The durable end of a log as one event told it, shared by all receipts of that group. */
export class Mark {
  readonly #id: string
  readonly #hash: Uint8Array
  readonly size: number
  #head: Head | undefined

  constructor(id: string, size: number, hash: Uint8Array) {
    this.#id = id
    this.#hash = hash
    this.size = size
  }

  /** A plain frozen object, so that it can be spread, cloned, sent to a worker and written as JSON. */
  get head(): Head {
    if (this.#head === undefined) {
      const { buffer, byteOffset, byteLength } = this.#hash
      const hash = Buffer.from(buffer, byteOffset, byteLength).toString('hex')
      this.#head = Object.freeze({ id: this.#id, size: this.size, hash })
    }
    return this.#head
  }
}

/** See `Receipt` in types.ts. One is made per append, so it holds the mark and makes nothing ahead of time. */
export class AppendReceipt implements Receipt {
  readonly offset: number
  readonly count: number
  readonly #mark: Mark

  constructor(offset: number, count: number, mark: Mark) {
    this.offset = offset
    this.count = count
    this.#mark = mark
  }

  get head(): Head {
    return this.#mark.head
  }

  toJSON(): { offset: number; count: number; head: Head } {
    return { offset: this.offset, count: this.count, head: this.head }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return this.toJSON()
  }
}
