/**
 * One environment's connection to the addon: numbers requests, hands out events, and keeps the process alive exactly
 * while something waits.
 *
 * It is kept on the addon itself: two copies of this facade in one environment (bundles, Jest's module registry) share
 * the addon, whose events must reach whoever asked. So it only passes raw values; each copy makes its own errors.
 */
import { onAbort } from './abort.js'
import { closedError, fromNative } from './errors.js'
import { EXIT_TIMEOUT, onExit } from './exit.js'
import { now, setImmediate } from './later.js'
import type { Binding, NativeError, NativeEvent } from './native.js'
import { WaitAwake } from './wait-awake.js'

/** See `Binding.drain`. */
const WATERMARK_BYTES = 48
const WATERMARKS_START = 8
/** For so many logs that grew one call is enough. */
const WATERMARKS_MAX = 64
/** So many records at once are more than one that is awaited, for which a further turn of the event loop would be a delay. */
const BUSY_RECORDS = 64

/** Memory that `drain` writes watermarks into. */
class Watermarks {
  readonly bytes = new Uint8Array(WATERMARKS_START + WATERMARKS_MAX * WATERMARK_BYTES)
  readonly view = new DataView(this.bytes.buffer)
}

/** Who waits for the answer to a request. */
interface Waiter {
  /** Handle of the log it belongs to, if to one. */
  readonly log?: number
  /** Closing the log stops it; it waits for the answers to everything else. */
  readonly stopAtClose?: boolean
  settle(error: NativeError | undefined, value: any): void
  progress?(bytes: number, totalBytes: number): void
}

/** An open log as the session sees it. None of these may throw. */
export interface Listener {
  /** Returns how many records that are. */
  durable(size: number, hash: Uint8Array): number
  failed(error: NativeError): void
  /** The process ends: hand over what is staged; no event will come any more. */
  exiting(): void
}

interface OpenLog {
  readonly listener: Listener
  /** Its own: of a thousand logs that close, none looks through what the others wait for. */
  readonly waiters: Map<number, Waiter>
}

export class Session {
  readonly binding: Binding
  readonly #waiters = new Map<number, Waiter>()
  readonly #logs = new Map<number, OpenLog>()
  /**
   * Used again and again: an object and a buffer for each event took 3 of the 100 µs of a lone append, and its p99 1.25 times.
   * None while watermarks are handed out of it: a subscriber may run the event loop, as Electron's dialogs do.
   */
  #watermarks: Watermarks | undefined = new Watermarks()
  #lastRequest = 0
  #holds = 0
  /** Those that wait for answers to others. */
  #watching: (() => void)[] = []
  /** The last events made many records durable. */
  #busy = false
  readonly #waitAwake = new WaitAwake()
  readonly #mayWaitAwake: boolean
  /** The next turn of the event loop looks for events. */
  #looking = false
  #ignoreExit: (() => void) | undefined

  constructor(binding: Binding) {
    this.binding = binding
    this.#mayWaitAwake = binding.connect(this.#onEvents)
  }

  /** Something begins to wait. */
  retain(): void {
    if (this.#holds++ === 0) this.binding.hold(true)
  }

  /** It waits no longer. */
  release(): void {
    if (--this.#holds === 0) this.binding.hold(false)
  }

  /** Sends a request under a fresh number. */
  ask(waiter: Waiter, send: (request: number) => void): number {
    const request = ++this.#lastRequest
    this.#waiters.set(request, waiter)
    this.#logOf(waiter)?.waiters.set(request, waiter)
    this.retain()
    try {
      send(request)
    } catch (error) {
      this.#take(request)
      throw error
    }
    return request
  }

  /** Forgets a request and asks the addon to stop working on it. */
  cancel(request: number): void {
    if (this.#take(request) === undefined) return
    this.binding.cancel(request)
    this.#tellWatching()
  }

  /** Asks the addon to stop the long requests of a log that is closing; the answers still come. */
  stopLongRequests(log: number): void {
    for (const [request, waiter] of this.#logs.get(log)?.waiters ?? []) {
      if (waiter.stopAtClose) this.binding.cancel(request)
    }
  }

  /** Something that a log was asked is not answered yet, besides what closing stops. */
  awaits(log: number): boolean {
    for (const waiter of this.#logs.get(log)?.waiters.values() ?? []) if (!waiter.stopAtClose) return true
    return false
  }

  /** Resolves once some answer has come: what whoever got it asks at once is asked by then. */
  answered(): Promise<void> {
    return new Promise(resolve => this.#watching.push(resolve))
  }

  addLog(log: number, listener: Listener): void {
    this.#logs.set(log, { listener, waiters: new Map() })
    this.#ignoreExit ??= onExit(() => this.#closeAll())
  }

  /** The log is closed: no event of it comes any more, so whoever still waits is told. */
  removeLog(log: number): void {
    const waiting = this.#logs.get(log)?.waiters.keys() ?? []
    this.#logs.delete(log)
    for (const request of waiting) this.#take(request)?.settle({ code: 'ABORTED', message: 'aborted' }, undefined)
    if (this.#logs.size > 0) return
    this.#ignoreExit?.()
    this.#ignoreExit = undefined
  }

  /** A call crossed, and no other waits in its log. */
  alone(): void {
    if (this.#mayWaitAwake && this.#holds === 1 && this.#waitAwake.asked(now())) this.#lookLater()
  }

  /**
   * Hands out what is queued. Where that was much, more is on its way: then the addon does not call, and this looks
   * again in the next turn of the event loop. To be called while events keep coming would let no timer and no socket of
   * the host run in between.
   */
  readonly #onEvents = (): void => {
    const again = this.#busy || this.#looking
    this.#busy = false
    // The addon counts on it, also where draining throws for want of memory.
    if (again) this.#lookLater()
    const watermarks = this.#watermarks ?? new Watermarks()
    this.#watermarks = undefined
    let records = 0
    let count: number
    do {
      const events = this.binding.drain(again, watermarks.bytes)
      count = watermarks.view.getUint32(0, true)
      records += this.#durable(watermarks, count)
      if (events !== undefined) for (const event of events) this.#dispatch(event)
    } while (count === WATERMARKS_MAX)
    this.#watermarks = watermarks
    if (records > 0) this.#waitAwake.answered(now())
    this.#busy = records >= BUSY_RECORDS
    this.#tellWatching()
  }

  #lookLater(): void {
    if (this.#looking) return
    this.#looking = true
    setImmediate(this.#look)
  }

  readonly #look = (): void => {
    this.#looking = false
    if (this.#waitAwake.isOn(now()) && !this.binding.look()) this.#lookLater()
    else this.#onEvents()
  }

  /** Tells whom it concerns. */
  #dispatch(event: NativeEvent): void {
    switch (event.type) {
      case 'failed':
        this.#logs.get(event.log)?.listener.failed(event.error)
        break
      case 'progress':
        this.#waiters.get(event.request)?.progress?.(event.bytes, event.totalBytes)
        break
      case 'done':
        this.#take(event.request)?.settle(event.error, event.value)
    }
  }

  /** Tells the logs that grew; returns how many records became durable. */
  #durable({ bytes, view }: Watermarks, count: number): number {
    let records = 0
    for (let at = WATERMARKS_START; count > 0; at += WATERMARK_BYTES, count--) {
      const log = this.#logs.get(view.getUint32(at, true))
      const hash = bytes.slice(at + 16, at + WATERMARK_BYTES)
      records += log?.listener.durable(view.getFloat64(at + 8, true), hash) ?? 0
    }
    return records
  }

  #tellWatching(): void {
    if (this.#watching.length === 0) return
    for (const resolve of this.#watching.splice(0)) resolve()
  }

  #take(request: number): Waiter | undefined {
    const waiter = this.#waiters.get(request)
    if (waiter === undefined) return undefined
    this.#waiters.delete(request)
    this.#logOf(waiter)?.waiters.delete(request)
    this.release()
    return waiter
  }

  #logOf({ log }: Waiter): OpenLog | undefined {
    return log === undefined ? undefined : this.#logs.get(log)
  }

  #closeAll(): void {
    for (const { listener } of this.#logs.values()) listener.exiting()
    this.#logs.clear()
    this.binding.closeAllSync(EXIT_TIMEOUT)
  }
}

const KEY = Symbol.for('varve.session')

/** The session of this environment. */
export function sessionOf(binding: Binding & { [KEY]?: Session }): Session {
  binding[KEY] ??= new Session(binding)
  return binding[KEY]
}

export interface RequestOptions<T> {
  /** Handle and folder of the log that is asked. */
  log?: number
  location?: string
  /** Closing the log stops the request, which then rejects with `VARVE_CLOSED`. Default `false`. */
  stopAtClose?: boolean
  /** Runs before any later event is handed out. Default: the value as it is. */
  convert?(value: any): T
  signal?: AbortSignal | undefined
  onProgress?: ((progress: { bytes: number; totalBytes: number }) => void) | undefined
}

/** One request as a promise. Aborting settles it at once; a late answer is dropped. */
export function request<T>(
  session: Session,
  send: (request: number) => void,
  { log, location = '', stopAtClose = false, convert, signal, onProgress }: RequestOptions<T> = {},
): Promise<T> {
  if (signal?.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    let stopListening: (() => void) | undefined
    const give = (reason: unknown) => {
      stopListening?.()
      session.cancel(number)
      reject(reason)
    }
    const waiter: Waiter = {
      log,
      stopAtClose,
      settle(error, value) {
        stopListening?.()
        if (error !== undefined) return reject(error.code === 'ABORTED' ? closedError(location) : fromNative(error))
        try {
          resolve(convert === undefined ? value : convert(value))
        } catch (failure) {
          reject(failure)
        }
      },
      progress(bytes, totalBytes) {
        try {
          onProgress?.({ bytes, totalBytes })
        } catch (failure) {
          give(failure) // the callback's error ends what it watches
        }
      },
    }
    const number = session.ask(waiter, send)
    if (signal !== undefined) stopListening = onAbort(signal, () => give(signal.reason))
  })
}
