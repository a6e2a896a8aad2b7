/** Those who wait, in the process that writes, for the next records to become durable. */
import { onAbort } from './abort.js'
import type { Session } from './session.js'

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

/** Invariant: the process is kept alive exactly while somebody waits. */
export class Growth {
  readonly #session: Session
  #waiters = new Set<Waiter>()

  constructor(session: Session) {
    this.#session = session
  }

  /** Resolves when the log has grown, rejects when it never will, and with the signal's reason. */
  next(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const stopListening = onAbort(signal, () => {
        this.#waiters.delete(waiter)
        this.#session.release()
        reject(signal.reason)
      })
      const settle = (how: () => void) => {
        stopListening()
        this.#session.release()
        how()
      }
      const waiter: Waiter = { resolve: () => settle(resolve), reject: error => settle(() => reject(error)) }
      this.#waiters.add(waiter)
      this.#session.retain()
    })
  }

  grown(): void {
    for (const waiter of this.#take()) waiter.resolve()
  }

  ended(error: Error): void {
    for (const waiter of this.#take()) waiter.reject(error)
  }

  #take(): Iterable<Waiter> {
    if (this.#waiters.size === 0) return []
    const waiters = this.#waiters
    this.#waiters = new Set()
    return waiters
  }
}
