/**
 * `appendAll`: takes from a source as fast as the log makes room, and says what became durable.
 *
 * No timers: what the source gives is staged by the writer, and crosses when it is much or the tick ends; after each
 * `TURN_BYTES` the event loop gets a turn, and above `maxPendingBytes` the source waits.
 */
import { onAbort } from './abort.js'
import { invalid, invalidType, withProgress } from './errors.js'
import { loopTurn } from './later.js'
import { bag, optionalFunction, optionalSignal } from './options.js'
import { RECORD_COST } from './pending.js'
import type { AppendAllOptions, AppendProgress, Receipt } from './types.js'
import type { Run, Writer } from './writer.js'

/** Bytes taken between two turns of the event loop. */
export const TURN_BYTES = 256 * 1024

/** What was taken of a source or a stream, and what of it is durable. */
export class Progress implements Run {
  count = 0
  bytes = 0
  head
  /** Taken and not settled. */
  waiting = 0
  /** Told of the first error. */
  onError: ((error: unknown) => void) | undefined
  #error: { value: unknown } | undefined
  #idle: (() => void) | undefined
  readonly #onProgress: AppendAllOptions['onProgress']

  constructor(writer: Writer, onProgress: AppendAllOptions['onProgress']) {
    this.head = writer.mark.head
    this.#onProgress = onProgress
  }

  readonly resolve = ({ count, head }: Receipt, cost: number): void => {
    this.count += count
    this.bytes += cost - count * RECORD_COST
    this.head = head
    try {
      this.#onProgress?.(this.now())
    } catch (error) {
      this.#fail(error)
    }
    this.#settle(count)
  }

  readonly reject = (error: unknown, count: number): void => {
    this.#fail(error)
    this.#settle(count)
  }

  throwIfFailed(): void {
    if (this.#error !== undefined) throw this.#error.value
  }

  now(): AppendProgress {
    return Object.freeze({ count: this.count, bytes: this.bytes, head: this.head })
  }

  /** Resolves when everything taken has been settled. */
  idle(): Promise<void> {
    if (this.waiting === 0) return Promise.resolve()
    return new Promise(resolve => {
      this.#idle = resolve
    })
  }

  #fail(error: unknown): void {
    if (this.#error !== undefined) return
    this.#error = { value: error }
    this.onError?.(error)
  }

  #settle(count: number): void {
    this.waiting -= count
    if (this.waiting === 0) this.#idle?.()
  }
}

export async function appendAll(writer: Writer, source: unknown, given: unknown): Promise<AppendProgress> {
  const options = bag(given, ['signal', 'onProgress'])
  const signal = optionalSignal(options)
  const iterator = iterate(source)
  const progress = new Progress(writer, optionalFunction(options, 'onProgress'))
  const stop = signal && stopper(signal)
  let taken = 0
  try {
    writer.admitCall()
    for (;;) {
      signal?.throwIfAborted()
      progress.throwIfFailed()
      if (writer.pending.isFull) {
        await writer.pending.drained(signal)
        continue
      }
      if (taken >= TURN_BYTES) {
        taken = 0
        await loopTurn()
        continue
      }
      const pull = iterator.next()
      // A source that is stuck must not keep an aborted call waiting.
      const step = isPromise(pull) ? await (stop === undefined ? pull : Promise.race([pull, stop.aborted])) : pull
      if (step.done) {
        iterator.finished = true
        break
      }
      taken += writer.take(step.value, progress)
      progress.waiting++
    }
    await progress.idle()
    progress.throwIfFailed()
    return progress.now()
  } catch (error) {
    iterator.leave()
    await progress.idle()
    if (signal?.aborted && error === signal.reason) throw error
    throw withProgress(error, progress.now())
  } finally {
    stop?.done()
  }
}

/** A source's iterator; `leave` tells it that no more is wanted, without waiting for it. */
interface Pulling {
  next(): IteratorResult<unknown> | Promise<IteratorResult<unknown>>
  leave(): void
  finished: boolean
}

function iterate(source: any): Pulling {
  const must = 'an iterable or async iterable of values'
  // A string is an iterable of strings, and never what was meant.
  if (typeof source !== 'object' && typeof source !== 'function') throw invalidType('source', must, source)
  const method = source?.[Symbol.asyncIterator] ?? source?.[Symbol.iterator]
  if (typeof method !== 'function') throw invalidType('source', must, source)
  const iterator = method.call(source)
  const pulling: Pulling = {
    finished: false,
    next() {
      try {
        const step = iterator.next()
        if (!isPromise(step)) return checked(step)
        return step.then(checked, failed)
      } catch (error) {
        return failed(error)
      }
    },
    leave() {
      if (pulling.finished) return
      pulling.finished = true
      try {
        const left = iterator.return?.()
        if (isPromise(left)) left.then(undefined, () => {})
      } catch {
        // What ended the call matters more than what leaving the source says.
      }
    },
  }
  const checked = (step: unknown) => {
    if (typeof step === 'object' && step !== null) return step as IteratorResult<unknown>
    throw invalid('source must give iterator results')
  }
  const failed = (error: unknown): never => {
    pulling.finished = true // an iterator that throws is done
    throw error
  }
  return pulling
}

function isPromise(value: any): value is Promise<any> {
  return typeof value?.then === 'function'
}

/** A promise that rejects when `signal` aborts. */
function stopper(signal: AbortSignal): { aborted: Promise<never>; done(): void } {
  let done = () => {}
  const aborted = new Promise<never>((_, reject) => {
    done = onAbort(signal, () => reject(signal.reason))
  })
  aborted.catch(() => {})
  return { aborted, done }
}
