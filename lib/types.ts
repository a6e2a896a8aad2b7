/** The public types of a log, its records and options. What implements them is in log.ts, reader.ts, receipt.ts and open.ts. */
import type { KeyObject } from 'node:crypto'
import type { WritableStream } from 'node:stream/web'
import type { VarveError } from './errors.js'
import type { Recovery, Stats, VerifyOptions, VerifyReport } from './reports.js'

/** Options of `open` and `openMemory`. Anything unknown is a `TypeError` that names it. */
export interface OpenOptions {
  /**
   * How values become bytes. Its name is stored in a new log; a different one later is `VARVE_ENCODING_MISMATCH`, except
   * that `'buffer'` opens any log. Default `'buffer'`.
   */
  encoding?: 'buffer' | 'utf8' | 'json' | Encoding<any, any>
  /** Codec for new frames; kept only where it shrinks them. Default `'lz4'`. */
  compression?: 'none' | 'lz4'
  /**
   * When an append resolves: `'disk'` after fsync; `'os'` after the write, and what no sync has covered yet (`flush`, a rotation,
   * `close`) a power loss may take. Default `'disk'`.
   */
  durability?: 'disk' | 'os'
  /** Size at which a segment is sealed, bytes; a batch that is larger lies in a larger one. Default 256 MiB, least 64 KiB, most 64 GiB. */
  segmentBytes?: number
  /**
   * Largest payload, bytes. Default 16 MiB, most 1 GiB. One append takes no more than 4 × `maxPendingBytes` either (64 MiB by
   * default): raise both for larger records.
   */
  maxRecordBytes?: number
  /**
   * Pending bytes (payload + 256 a record) above which `drained()` waits; above 4 × this `append` rejects with
   * `VARVE_BUSY`. Default 16 MiB, least 1 KiB.
   */
  maxPendingBytes?: number
  /** Memory for frames that `get` asked for more than once lately, bytes. Default 8 MiB; 0 keeps none. */
  cacheBytes?: number
  /** 32 to 1,024 bytes; seals every frame against writers who lack it. Set at creation. Default none. */
  secret?: Secret
  /**
   * Fail with `VARVE_HEAD_MISMATCH` unless the log contains this head; also when there is no log, and then none is
   * created. Take it from `receipt.head` or `log.head`. Default none.
   */
  expectHead?: Head
  /** Milliseconds to wait for another writer to release the log. Default 0: `VARVE_LOCKED` at once. */
  lockTimeout?: number
  /** Stops opening, also while it waits for the lock: `open` rejects with `signal.reason`. Later it has no effect on the log. */
  signal?: AbortSignal
  /** Create the log when there is none; otherwise that is `VARVE_NOT_FOUND`. Default `true`. */
  createIfMissing?: boolean
  /** Fail with `VARVE_EXISTS` when there is a log. Default `false`. */
  errorIfExists?: boolean
  /**
   * No lock, no repair, no writes; sees what the writer has made durable. When none is at work, all whole batches before the
   * first damage, after an fsync if nothing tells that they are durable. Never creates. Default `false`.
   */
  readOnly?: boolean
}

/** The bytes of a secret, or a `KeyObject` of type `'secret'` (`crypto.createSecretKey`). */
export type Secret = Uint8Array | KeyObject

/** How values become bytes and back: abstract-level's interface. `encode` and `decode` are synchronous. */
export interface Encoding<In, Out = In> {
  /** Stored in the log; 1 to 255 bytes of UTF-8. */
  name: string
  /**
   * What `encode` returns and `decode` is given: `'buffer'` (a Uint8Array; a Buffer), `'view'` (a Uint8Array both
   * ways) or `'utf8'` (a string). Default `'buffer'`.
   */
  format?: 'buffer' | 'utf8' | 'view'
  /** The value's bytes; they are copied before `append` returns. What it throws becomes the `cause` of a `TypeError`. */
  encode(value: In): Uint8Array | string
  /** The value of stored bytes. What it throws reaches the caller of the read unchanged. */
  decode(data: any): Out
}

/**
 * A schema of any library that implements [Standard Schema](https://standardschema.dev) version 1; stated here so that
 * no dependency is needed.
 */
export interface StandardSchema<In = unknown, Out = In> {
  /** Where the specification puts it. */
  readonly '~standard': {
    /** Of the specification. */
    readonly version: 1
    /** Name of the library. */
    readonly vendor: string
    /** Gives `{ value }`, or `{ issues }` with messages and paths. A promise is a `TypeError` here. */
    readonly validate: (value: unknown) => any
    /** For TypeScript alone. */
    readonly types?:
      | {
          /** What `validate` takes. */
          readonly input: In
          /** What it gives. */
          readonly output: Out
        }
      | undefined
  }
}

/** What a schema takes: the type of the values to append. */
export type SchemaInput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input']

/** What a schema gives: the type of the values that are read. */
export type SchemaOutput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']

/** One fact to keep elsewhere: log `id` had `size` records, and `hash` commits to all of them. The next offset is `size`. */
export interface Head {
  /** The log's random id, 64 hex digits. */
  readonly id: string
  /** Number of records. */
  readonly size: number
  /** 64 hex digits. */
  readonly hash: string
}

/** What an append resolves to, once it is durable. */
export interface Receipt {
  /** Offset of the (first) record. */
  readonly offset: number
  /** Records written by this call. */
  readonly count: number
  /** The log's head after the group that this append was in: `size >= offset + count`. Made when first read. */
  readonly head: Head
  /** The three facts as a plain object, for `JSON.stringify` and loggers. */
  toJSON(): Pick<Receipt, 'offset' | 'count' | 'head'>
}

/** One record as read. */
export interface LogRecord<T> {
  /** Its number in the log: 0, 1, 2 … */
  readonly offset: number
  /** Milliseconds since the epoch when accepted; never less than the record before. */
  readonly time: number
  /** The decoded value. A Buffer is a view into memory that the records read with it share. */
  readonly value: T
}

/** An open log. Offsets follow the order of calls, whichever method made them. */
export interface Log<In, Out = In> extends AsyncDisposable {
  /** Absolute path of the log's folder; of a log in memory a name such as `'memory:1'`. */
  readonly location: string
  /** The durable end of the log; the next append gets at least this `size` as its offset. With `readOnly`, as of the last read. */
  readonly head: Head
  /** First offset still there; 0 as long as nothing removes records. */
  readonly firstOffset: number
  /** What opening had to cut, if anything. */
  readonly recovery: Recovery | undefined
  /** The error that stopped this log, if one did: for health checks. Reads go on. */
  readonly failure: VarveError | undefined
  /** Bytes accepted and not yet durable: payload + 256 a record. */
  readonly pendingBytes: number

  /**
   * Appends one record and resolves when it is durable. The value is encoded and copied before the call returns.
   * Never throws synchronously.
   *
   * Rejects with `VARVE_BUSY`, `VARVE_OFFSET_CONFLICT`, `VARVE_CLOSED`, `VARVE_READ_ONLY` or `VARVE_FAILED` (nothing was
   * taken: `outcome: 'none'`), with `VARVE_IO` (`outcome: 'unknown'`) when the disk failed under it, with a `TypeError`
   * for a value that cannot be encoded, with a `RangeError` for one over `maxRecordBytes` or over 4 × `maxPendingBytes`.
   */
  append(value: In, options?: AppendOptions): Promise<Receipt>
  /**
   * Appends all values or, after a crash, none. Rejects like `append`; when one value is refused, nothing is taken.
   * An empty array is a `TypeError`; more than 4 × `maxPendingBytes` in one call is a `RangeError`.
   */
  appendBatch(values: readonly In[], options?: AppendOptions): Promise<Receipt>
  /**
   * Appends a source with back-pressure, in order, and resolves when all of it is durable. Not atomic. Never rejects with
   * `VARVE_BUSY`.
   *
   * When the source throws, a value is refused or the log fails, it rejects with that error once everything taken has
   * been settled, and `error.progress` says what is durable. When `signal` aborts, it stops taking, waits for
   * what it took, and rejects with `signal.reason`, unchanged; the last `onProgress` call says what is durable.
   */
  appendAll(source: Iterable<In> | AsyncIterable<In>, options?: AppendAllOptions): Promise<AppendProgress>
  /**
   * A Web stream that appends each chunk as one record, with back-pressure: `response.body.pipeTo(log.writable())`,
   * `Readable.toWeb(file).pipeTo(…)`. Not atomic. Several streams, and appends beside them, do not disturb one another.
   *
   * Closing it makes everything durable (with `durability: 'os'` too) and leaves the log open. Aborting it drops what is still
   * queued in the stream; what was taken stays, and is durable when `abort` resolves. A value that is refused, or a
   * log that fails or is closed, errors the stream as it rejects `appendAll`, with `error.progress`.
   */
  writable(): WritableStream<In>
  /**
   * Resolves when `pendingBytes` is at most `maxPendingBytes`; at once if it is, also on a log that was closed or failed.
   * Rejects with `signal.reason` when `signal` aborts before that.
   */
  drained(options?: { signal?: AbortSignal }): Promise<void>
  /**
   * Resolves when everything appended before it is on the device, with `durability: 'os'` too, and gives the head then.
   * With `readOnly` there is nothing to do. Rejects with `VARVE_IO`, `VARVE_FAILED` or `VARVE_CLOSED`.
   */
  flush(): Promise<Head>
  /**
   * The same, blocking the event loop for at most 5 seconds: for `process.on('exit')` and crash handlers only. The promises
   * of appends still resolve later, from the event loop. Throws what `flush` rejects with; after 5 seconds `VARVE_IO` with
   * the cause `ETIMEDOUT`.
   */
  flushSync(): void

  /**
   * One record; `undefined` at or past the head. Rejects with `VARVE_PRUNED` below `firstOffset`, with `VARVE_CORRUPT` when
   * its frame is damaged, with `VARVE_IO` or `VARVE_CLOSED`, and with what the encoding throws.
   */
  get(offset: number): Promise<LogRecord<Out> | undefined>
  /**
   * Records up to the head at the first pull, one by one (`for await`), in chunks, or as an array. Nothing is read before the
   * first pull, which rejects, as every later one, as `get` does.
   */
  read(options?: ReadOptions): Reader<Out>
  /**
   * Records as they become durable, in order, without a gap or a duplicate, and without end: first those that are there
   * from `from` on, read in chunks, then each one as it comes. A record appended in this process arrives together with its
   * receipt; one that another process appends (`readOnly`) within 50 ms, also after that process was killed and came
   * back; with `durability: 'os'` once that process has synced it (`flush`, a rotation, `close`). While it waits for
   * a record, it keeps the process alive. What the consumer has not taken yet stays in
   * the files, so a slow one costs no memory.
   *
   * The iteration ends, without an error, when it is left (`break`, `return()`) and when this log is closed; records that it
   * had not got by then are got by the next tail, `from` where this one stopped. It throws `signal.reason` when `signal` aborts,
   * `VARVE_FAILED` when the log has failed and everything durable was given, and what a read throws (`VARVE_CORRUPT`,
   * `VARVE_IO`, `VARVE_PRUNED`). Iterate it once.
   */
  tail(options?: TailOptions): AsyncIterableIterator<LogRecord<Out>> & AsyncDisposable
  /**
   * Offset of the first record with `time >= ms`, milliseconds since the epoch or a `Date`; the head's size if there is none.
   * Rejects as `get` does.
   */
  offsetAt(ms: number | Date): Promise<number>

  /**
   * Recomputes everything from the files, up to the head now. Resolves also when the log is damaged: look at `ok`. Rejects
   * with `VARVE_IO`, and with `VARVE_CLOSED` when the log is closed meanwhile.
   */
  verify(options?: VerifyOptions): Promise<VerifyReport>
  /** Counters since the log was opened. With `readOnly` they stay 0. Throws `VARVE_CLOSED`. */
  stats(): Stats
  /**
   * Takes no more appends, makes the accepted ones durable, resolves their promises, releases the lock. What was asked
   * before is answered; a `verify` is stopped, and iterators end. Rejects if something accepted could not be made durable,
   * and is closed all the same. Calling it again resolves.
   */
  close(): Promise<void>
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Options of `append` and `appendBatch`. */
export interface AppendOptions {
  /** Append only if this is the next offset (accepted appends counted), else `VARVE_OFFSET_CONFLICT`. Default: any. */
  expectedOffset?: number
}

/** Options of `appendAll`. */
export interface AppendAllOptions {
  /** Stops taking from the source, also one that is stuck. */
  signal?: AbortSignal
  /** Called as records become durable, once or more for each group. What it throws ends the call as an error of the source does. */
  onProgress?(progress: AppendProgress): void
}

/** What is durable of an `appendAll`. */
export interface AppendProgress {
  /** Records. */
  readonly count: number
  /** Payload bytes. */
  readonly bytes: number
  /** The log's head after the group that the last of them was in; it may contain more records than these. */
  readonly head: Head
}

/** Options of `read`. An empty range gives no records. */
export interface ReadOptions {
  /** First offset, inclusive. Default `firstOffset`. */
  from?: number
  /** Last offset, exclusive. Default, and at most, the head's size at the first pull. */
  to?: number
  /** Most records to give. Default all. */
  limit?: number
  /** From `to - 1` down to `from`. Default `false`. */
  reverse?: boolean
  /** Recompute hashes while reading. Default `false`: checksums only. */
  verify?: boolean
  /** Stored bytes fetched in one native call; at least one record is. Default 256 KiB, most 8 MiB. */
  chunkBytes?: number
  /** Ends the read: the pull that waits, or else the next one, rejects with `signal.reason`. */
  signal?: AbortSignal
}

/** Options of `tail`. */
export interface TailOptions {
  /**
   * First offset to give; it may lie past the end, and is waited for. `'start'` is `firstOffset`; `'end'` leaves out what was
   * durable when `tail` was called. Default `'end'`.
   */
  from?: number | 'start' | 'end'
  /** Ends the tail: the pull that waits, or else the next one, rejects with `signal.reason`. */
  signal?: AbortSignal
}

/** Records one by one, or in chunks. Up to two chunks are read ahead, in a tail one. Iterate it once. */
export interface Reader<T> extends AsyncIterableIterator<LogRecord<T>>, AsyncDisposable {
  /** Many records per step, decoded when touched: the fast way. */
  chunks(): AsyncIterableIterator<Chunk<T>>
  /** All records that are left. */
  toArray(): Promise<LogRecord<T>[]>
}

/**
 * A run of records as read, unrelated to `appendBatch`. Its memory is its own and never reused. Indexes follow the
 * reading order, so `chunk.at(0)` is what iterating gives first; in a reverse read that is its highest offset.
 */
export interface Chunk<T> extends Iterable<LogRecord<T>> {
  /** Offset of the record at index 0. Index `i` is `offset + i`, in a reverse read `offset - i`. */
  readonly offset: number
  /** Number of records; at least 1. */
  readonly length: number
  /** The record at `index`, decoded now; negative counts from the end; `undefined` outside. Throws what the encoding throws. */
  at(index: number): LogRecord<T> | undefined
  /** The raw payload, in memory that it shares with the others of the chunk. A `RangeError` outside `0 … length - 1`. */
  bytes(index: number): Uint8Array
}

/**
 * What is published on `node:diagnostics_channel`, by the channel's name. A subscriber runs at once, on this thread, and
 * should be quick; what it throws is an uncaught exception and does not reach the log.
 */
export interface DiagnosticsMessages {
  /** A log was opened, before `open` resolves. */
  'varve:open': {
    /** The log. */
    readonly log: Log<any, any>
  }
  /**
   * Records became durable, and the promises of their appends are resolved. `records` of them since the last message, in
   * one group or in several. For everything else ask `log.stats()`.
   */
  'varve:group': {
    /** The log. */
    readonly log: Log<any, any>
    /** Records since the last message. */
    readonly records: number
  }
  /** The log stopped: `error` is `log.failure`. */
  'varve:failed': {
    /** The log. */
    readonly log: Log<any, any>
    /** What stopped it. */
    readonly error: VarveError
  }
  /** The log was closed; `error` if something could not be made durable. It has no `stats()` any more. */
  'varve:close': {
    /** The log. */
    readonly log: Log<any, any>
    /** What `close` rejects with, if it does. */
    readonly error?: Error
  }
}
