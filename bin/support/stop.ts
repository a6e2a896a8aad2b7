/** Ending early: the first signal asks the command to stop cleanly, the second one ends the process at once. */
import { constants } from 'node:os'

/** A signal came. */
export class Interrupted extends Error {
  constructor(readonly signal: NodeJS.Signals) {
    super(`interrupted by ${signal}`)
  }
  /** As shells have it: 128 + the signal's number. */
  get exit(): number {
    return 128 + constants.signals[this.signal]
  }
}

/** Whoever read our output has gone, which is no error: `varve cat | head`. */
export class ClosedPipe extends Error {}

/** Tells a command to stop. */
export class Stop {
  readonly #controller = new AbortController()

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Why, once it was told to. */
  get reason(): Interrupted | ClosedPipe | undefined {
    return this.#controller.signal.reason
  }

  now(reason: Interrupted | ClosedPipe): void {
    this.#controller.abort(reason)
  }

  /** Listens for signals until the command is over. */
  listen(): void {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        const reason = new Interrupted(name)
        if (this.reason instanceof Interrupted) die(name)
        this.now(reason)
      })
    }
  }

  /** What `work` gives, unless the command is to stop before. */
  async race<T>(work: Promise<T>): Promise<T> {
    this.signal.throwIfAborted()
    let stopped = () => {}
    const stop = new Promise<never>((_, reject) => {
      stopped = () => reject(this.reason)
      this.signal.addEventListener('abort', stopped, { once: true })
    })
    try {
      return await Promise.race([work, stop])
    } finally {
      this.signal.removeEventListener('abort', stopped)
      work.catch(() => {}) // nobody waits for it any more
    }
  }
}

/** Ends the process at once, by the signal itself: `process.exit` would wait for a write that nobody takes. */
export function die(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}
