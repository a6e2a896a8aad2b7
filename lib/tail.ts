/**
 * What makes a reader a tail: where it begins, and waiting for records instead of ending.
 *
 * A tail holds one chunk and asks for one more only when it is there: what the consumer has not taken yet stays in the
 * files, however slow it is. It waits only while a pull does, so an abandoned tail keeps no process alive.
 */
import { onAbort } from './abort.js'
import { VarveError } from './errors.js'

/** What a tail follows. */
export interface Growing {
  /** The durable size once it is above `size`; rejects when that will not be, and with the signal's reason. */
  beyond(size: number, signal: AbortSignal): Promise<number>
}

/** First offset, and the durable size when the tail was made; `undefined` when the log was closed before that was known. */
export type Start = { from: number; size: number } | undefined

export class Live {
  /** See `Start`. */
  readonly start: Promise<Start>
  readonly #source: Growing
  readonly #signal: AbortSignal | undefined
  readonly #leave = new AbortController()

  constructor(source: Growing, start: Promise<Start>, signal: AbortSignal | undefined) {
    this.#source = source
    this.#signal = signal
    this.start = start
    start.catch(() => {}) // whoever pulls first gets the error
  }

  /** The durable size once it is above `size`. Rejects with the signal's reason, and after `end` with anything. */
  async beyond(size: number): Promise<number> {
    const leave = this.#leave
    const signal = this.#signal
    signal?.throwIfAborted()
    const stopListening = signal && onAbort(signal, () => leave.abort(signal.reason))
    try {
      return await this.#source.beyond(size, leave.signal)
    } finally {
      stopListening?.()
    }
  }

  /** Nobody waits any more. */
  end(): void {
    this.#leave.abort()
  }
}

/** Closing the log ends its tails; to them that is no error. */
export function isClosed(error: unknown): boolean {
  return error instanceof VarveError && error.code === 'VARVE_CLOSED'
}
