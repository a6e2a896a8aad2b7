/**
 * The calls that wait for their records to become durable: a FIFO in offset order.
 *
 * Those before `submitted` were taken by the addon, the others are staged. The three positions only grow, except that
 * the newest entries can be taken back; an entry's slot in the ring is `position & (length - 1)`.
 */
import type { Receipt } from './types.js'

export type Resolve = (receipt: Receipt, cost: number) => void
export type Reject = (error: unknown, count: number) => void

/** One call that waits. */
export class Entry {
  constructor(
    readonly resolve: Resolve,
    readonly reject: Reject,
    readonly offset: number,
    public count: number,
    /** Payload and what is counted for each record besides. */
    public cost: number,
  ) {}
}

export class Entries {
  head = 0
  submitted = 0
  tail = 0
  #ring: (Entry | undefined)[] = new Array(64).fill(undefined)

  get isEmpty(): boolean {
    return this.head === this.tail
  }

  get isSingle(): boolean {
    return this.tail - this.head === 1
  }

  /** The newest, if it is still staged. */
  get lastStaged(): Entry | undefined {
    return this.tail > this.submitted ? this.#ring[(this.tail - 1) & (this.#ring.length - 1)] : undefined
  }

  push(entry: Entry): void {
    if (this.tail - this.head === this.#ring.length) this.#grow()
    this.#ring[this.tail++ & (this.#ring.length - 1)] = entry
  }

  /** Takes the oldest if all its records lie below `size`. */
  shiftBelow(size: number): Entry | undefined {
    if (this.head === this.tail) return undefined
    const slot = this.head & (this.#ring.length - 1)
    const entry = this.#ring[slot]!
    if (entry.offset + entry.count > size) return undefined
    this.#ring[slot] = undefined
    this.head++
    return entry
  }

  /** Takes back the newest, from position `from` on, oldest first. */
  takeFrom(from: number): Entry[] {
    const taken: Entry[] = []
    for (let at = from; at < this.tail; at++) {
      const slot = at & (this.#ring.length - 1)
      taken.push(this.#ring[slot]!)
      this.#ring[slot] = undefined
    }
    this.tail = from
    if (this.submitted > from) this.submitted = from
    return taken
  }

  #grow(): void {
    const grown: (Entry | undefined)[] = new Array(this.#ring.length * 2).fill(undefined)
    for (let at = this.head; at < this.tail; at++) {
      grown[at & (grown.length - 1)] = this.#ring[at & (this.#ring.length - 1)]
    }
    this.#ring = grown
  }
}
