/**
 * How much of a log waits for the disk, and who waits for that to become less.
 *
 * Invariant: whoever waits is woken when the bytes fall to `max`, and every byte that was added is taken off again, when
 * its entry settles.
 */
import { onAbort } from './abort.js'
import { busyError, invalidRange } from './errors.js'

/** Counted for each record besides its payload: what a pending append costs in memory. */
export const RECORD_COST = 256

export class Pending {
  bytes = 0
  /** `maxPendingBytes`: above it `drained()` waits. */
  readonly max: number
  /** Above it appends are refused. */
  readonly #hardMax: number
  #waiting = new Set<() => void>()

  constructor(max: number) {
    this.max = max
    this.#hardMax = 4 * max
  }

  get isFull(): boolean {
    return this.bytes > this.max
  }

  /** Throws what a call that would add `cost` is refused with, if it is. */
  admit(cost: number): void {
    if (this.bytes + cost <= this.#hardMax) return
    this.admitAlone(cost)
    throw busyError(this.bytes, cost, this.#hardMax)
  }

  /** The same, but only where the call would be refused though nothing else waited. */
  admitAlone(cost: number): void {
    if (cost <= this.#hardMax) return
    const must = `at most 4 × maxPendingBytes = ${this.#hardMax} bytes in one call (payload + ${RECORD_COST} a record)`
    throw invalidRange('an append', must, cost)
  }

  /** To be called when bytes were taken off. */
  wake(): void {
    if (this.#waiting.size === 0 || this.isFull) return
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const wake of waiting) wake()
  }

  drained(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (!this.isFull) return Promise.resolve()
    return new Promise((resolve, reject) => {
      let stopListening: (() => void) | undefined
      const wake = () => {
        stopListening?.()
        resolve()
      }
      this.#waiting.add(wake)
      if (signal === undefined) return
      stopListening = onAbort(signal, () => {
        this.#waiting.delete(wake)
        reject(signal.reason)
      })
    })
  }
}
