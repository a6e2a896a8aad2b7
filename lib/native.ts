/**
 * The contract between this facade and the native addon (crate/node); lib/loader.ts loads it.
 *
 * Everything asynchronous has a `request` number chosen by the facade and is answered by one event.
 * The addon calls `onEvents` (set by `connect`) when events wait; the facade then calls `drain`.
 * Nothing here throws for what a disk, a file or an argument can cause: errors are values (`NativeError`).
 */

/** An error as it crosses the boundary; lib/errors.ts turns it into what users see. */
export interface NativeError {
  code: string // a VarveErrorCode, 'VARVE_INVALID' or 'ABORTED'
  message: string
  path?: string
  segment?: string
  position?: number
  offset?: number
  expected?: string
  found?: string
  /** For VARVE_IO: the system error. */
  errno?: number
  syscall?: string
  systemCode?: string // 'ENOSPC', 'EIO' …
  systemMessage?: string
  /** For VARVE_FAILED: what stopped the log. */
  cause?: NativeError
}

export interface NativeHead {
  id: string // 64 hex digits
  size: number
  hash: string // 64 hex digits
}

export interface NativeOpenOptions {
  encoding: string // name; 'buffer' opens any log
  compression: 'none' | 'lz4'
  durability: 'disk' | 'os'
  segmentBytes: number
  maxRecordBytes: number
  cacheBytes: number
  secret?: Uint8Array
  expectHead?: NativeHead
  lockTimeout: number
  createIfMissing: boolean
  errorIfExists: boolean
  readOnly: boolean
}

export interface NativeOpened {
  log: number // handle for the calls below
  location: string // absolute path, or the name of a log in memory
  id: string
  size: number
  hash: Uint8Array // 32 bytes
  firstOffset: number
  encoding: string // as stored in the log
  recovery?: { segment: string; position: number; cutBytes: number; savedAs: string }
}

/** A run of records. */
export interface NativeChunk {
  offset: number // of the first record
  count: number
  /** A fresh one, little-endian: `count` × f64 times, `count` × u32 ends (in the payloads), then the payloads, if no `texts`. */
  buffer: Uint8Array
  /** The payloads as strings of whole records, one after another: where they were asked for, and are ASCII. */
  texts?: string[]
  /** The next range to ask for: [from, to); empty (from >= to) at the end. */
  from: number
  to: number
  /** Where the runs after this one will end (with `reverse`: start), nearest first: a hint for asking ahead. */
  bounds: number[]
}

export interface NativeReadRequest {
  from: number // inclusive
  to: number // exclusive, at most the durable size
  maxBytes: number // stored bytes to fetch; at least one frame is, and decoding stops after 4 × as many payload bytes
  maxRecords: number
  /** true: the run that ends at `to` (ascending inside the chunk; the facade iterates it backwards). */
  reverse: boolean
  verify: boolean
  /** Where the whole read ends, of which this is a part (with `reverse`: starts): `bounds` are told up to there. */
  beyond: number
  /** The payloads are wanted as `texts`. */
  text: boolean
}

export interface NativeVerifyOptions {
  from?: number
  expectHead?: NativeHead
  secret?: Uint8Array // verifyDir only
  progress: boolean // whether to send progress events
}

export type NativeEvent =
  /** The log stopped: every append not yet durable fails with this error. Sent once, after the last `durable`. */
  | { type: 'failed'; log: number; error: NativeError }
  /** Answer to a request. For verify the value is a VerifyReport as in reports.ts, for inspect a LogInfo. */
  | { type: 'done'; request: number; error?: NativeError; value?: any }
  /** Progress of a verify. */
  | { type: 'progress'; request: number; bytes: number; totalBytes: number }

export interface NativeDistribution {
  count: number
  sum: number
  p50: number
  p99: number
  max: number
  bounds: number[] // of the buckets, inclusive
  counts: number[] // of values up to each bound
}

export interface NativeStats {
  records: number
  groups: number
  payloadBytes: number
  storedBytes: number
  groupRecords: NativeDistribution
  syncMicros: NativeDistribution
}

export interface Binding {
  /**
   * Once per environment. The callback's handle starts unreferenced. Returns whether a thread that waits awake leaves a
   * processor to the others.
   */
  connect(onEvents: () => void): boolean
  /**
   * Waits awake for an event, for some microseconds. Returns whether one is there; the addon does not call until the
   * facade, which looks or drains again, has called `drain(false)`.
   */
  look(): boolean
  /**
   * All that wait: what became durable is written into `watermarks`, the rest is returned. With `again` the facade will
   * call once more, and the addon does not call meanwhile.
   *
   * `watermarks` gets, little-endian: how many there are (u32), 4 unused bytes, and for each 48 bytes: a log's handle
   * (u32), 4 unused bytes, `size` (f64), head(size) (32 bytes). Everything below `size` of that log is durable (a log's
   * never decreases). Where there is no room for all, the facade calls again for what is left.
   */
  drain(again: boolean, watermarks: Uint8Array): NativeEvent[] | undefined
  /** Keeps the process alive (true) exactly while a promise or iterator waits; the facade counts, calls on 0 ↔ 1. */
  hold(keepAlive: boolean): void
  open(request: number, dir: string, options: NativeOpenOptions): void // value: NativeOpened
  /** A new log on a disk of its own in memory, freed when it is closed; `location` is 'memory:1', 'memory:2' … */
  openMemory(request: number, options: NativeOpenOptions): void // value: NativeOpened
  /**
   * Appends records in order: `payloads` are concatenated, `lengths[i]` bytes each; `batches` are record counts of
   * consecutive atomic batches (their sum = lengths.length). Copies before it returns. Answered by 'durable' events.
   * Offsets are dense in call order. Returns an error if nothing was taken (log closed, failed, read only).
   */
  submit(log: number, payloads: Uint8Array, lengths: Uint32Array, batches: Uint32Array): NativeError | undefined
  /** Resolves after a sync of everything submitted before; value: NativeHead-like { size, hash: Uint8Array }. */
  flush(request: number, log: number): void
  /** Blocks until everything submitted is on the device, at most `timeoutMs`. */
  flushSync(log: number, timeoutMs: number): NativeError | undefined
  /** Flushes, releases the lock; the handle is dead afterwards also when `error` is set. */
  close(request: number, log: number): void
  /** For process exit: flush and close every log of this environment, blocking, at most `timeoutMs` in all. */
  closeAllSync(timeoutMs: number): void
  read(request: number, log: number, options: NativeReadRequest): void // value: NativeChunk
  /**
   * Looks up the records at `offsets`. value: NativeChunk of them in that order, perhaps without the last ones; what is
   * no record has the time NaN.
   */
  get(request: number, log: number, offsets: Float64Array): void
  /** For a readOnly log: looks at the live mark again. value: { size, hash }. In a writing log: the durable head. */
  refresh(request: number, log: number): void
  /** For a readOnly log: answered as `refresh` is, once there are more than `size` records. */
  follow(request: number, log: number, size: number): void
  offsetAt(request: number, log: number, ms: number): void // value: number
  verify(request: number, log: number, options: NativeVerifyOptions): void
  verifyDir(request: number, dir: string, options: NativeVerifyOptions): void
  inspect(request: number, dir: string): void
  planRecovery(request: number, dir: string, options: NativeVerifyOptions): void // value: RecoveryPlan
  salvage(request: number, dir: string, to: string, options: NativeVerifyOptions): void // value: SalvageReport
  /** Asks any request under way to stop; it is then answered with code 'ABORTED'. */
  cancel(request: number): void
  stats(log: number): NativeStats
}
