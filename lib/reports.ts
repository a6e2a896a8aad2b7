/** The public types of what is told of a log: by `verify`, `inspect`, opening, `planRecovery`, `salvage` and `stats`. */
import type { VarveErrorCode } from './errors.js'
import type { Head, Secret } from './types.js'

/** Options of `verify`. */
export interface VerifyOptions {
  /** First offset to check; segments that lie wholly below it are left out. Default 0. */
  from?: number
  /** Report a problem unless the log contains this head. Default none. */
  expectHead?: Head
  /** Stops it: rejects with `signal.reason`. */
  signal?: AbortSignal
  /** Called from time to time, with bytes of files. What it throws ends the verification, which rejects with it. */
  onProgress?(progress: { bytes: number; totalBytes: number }): void
}

/** What `verify` found. */
export interface VerifyReport {
  /** Nothing is wrong. */
  readonly ok: boolean
  /** Records checked. */
  readonly records: number
  /** Bytes of files checked. */
  readonly bytes: number
  /**
   * What the result rests on. `'internal'`: the files agree with one another. `'secret'`: so do the seals, which nobody makes
   * without the secret. `'receipt'`: the log contains `expectHead`, which was kept elsewhere.
   */
  readonly established: 'internal' | 'secret' | 'receipt'
  /** The head recomputed. */
  readonly head: Head
  /** Empty when `ok`; the first 1,000, 100 a segment. */
  readonly problems: readonly Problem[]
}

/** One thing that is wrong, and where. */
export interface Problem {
  /** `'VARVE_CORRUPT'`, `'VARVE_UNSUPPORTED'` or, of `expectHead`, `'VARVE_HEAD_MISMATCH'`. */
  readonly code: VarveErrorCode
  /** What is wrong, for people. */
  readonly message: string
  /** Name of the file. */
  readonly segment?: string
  /** Byte position in the file. */
  readonly position?: number
  /** Offset of the (first) record concerned. */
  readonly offset?: number
  /** What should be there. */
  readonly expected?: string
  /** What is there. */
  readonly found?: string
}

/** What recovery cut from the end of a log. */
export interface Recovery {
  /** Name of the file. */
  readonly segment: string
  /** Byte position in the file from which on it was cut. */
  readonly position: number
  /** How many bytes. */
  readonly cutBytes: number
  /** Name of the file in the log's folder that keeps them. */
  readonly savedAs: string
}

/** Options of `planRecovery`. */
export interface RecoveryPlanOptions {
  /** Reject unless the log contains this head. Default none. */
  expectHead?: Head
  /** The log's secret. Default none. */
  secret?: Secret
  /** Stops it: rejects with `signal.reason`. */
  signal?: AbortSignal
}

/** What opening a log for writing would do to it. */
export interface RecoveryPlan {
  /** The head that the log would have. */
  readonly head: Head
  /** What would be cut, and kept in a file of the log's folder; empty after a clean close. */
  readonly cuts: readonly Recovery[]
  /** The segment that would be sealed because a crash interrupted that. */
  readonly seals?: string
}

/** Options of `salvage`. */
export interface SalvageOptions {
  /** The old log's secret, which seals the new one too. Default none. */
  secret?: Secret
  /** Stops it: rejects with `signal.reason`. */
  signal?: AbortSignal
  /** Called from time to time, with the bytes of the old log that were looked at. What it throws ends it, and it rejects with that. */
  onProgress?(progress: { bytes: number; totalBytes: number }): void
}

/** Records that `salvage` copied together: those from `from` to `to - 1` are in the new log from `at` on. */
export interface SalvageRun {
  /** Offset of the first one in the old log. */
  readonly from: number
  /** Offset after the last one in the old log. */
  readonly to: number
  /** Offset of the first one in the new log. */
  readonly at: number
}

/** Records that `salvage` did not copy. */
export interface LeftOut {
  /** Offset of the first one. */
  readonly from: number
  /** Offset after the last one; none where nothing tells how many there were, if any. */
  readonly to?: number
  /** File with the damage, where one is known. */
  readonly segment?: string
  /** Byte position in it. */
  readonly position?: number
  /** What is wrong there. */
  readonly why: string
}

/** What `salvage` did. */
export interface SalvageReport {
  /** The new log's head. */
  readonly head: Head
  /** Id of the old log. */
  readonly sourceId: string
  /** Name of the encoding of both. */
  readonly encoding: string
  /** Records copied. */
  readonly records: number
  /** Bytes of their payloads. */
  readonly payloadBytes: number
  /** Records that are known to have been there and were not copied. */
  readonly recordsLeftOut: number
  /** Where the copied records are; the first 10,000 runs. */
  readonly runs: readonly SalvageRun[]
  /** What was left out; the first 10,000 ranges. */
  readonly leftOut: readonly LeftOut[]
}

/** What `inspect` tells, from headers and footers only. */
export interface LogInfo {
  /** The end of the log; of records that a writer has not stated to be durable it knows nothing. */
  readonly head: Head
  /** First offset still there. */
  readonly firstOffset: number
  /** Name of the encoding. */
  readonly encoding: string
  /** Whether the log was created with a secret. */
  readonly keyed: boolean
  /** Who has it open for writing, if somebody has. */
  readonly lockedBy?: {
    /** Process id. */
    pid: number
    /** Name of the machine. */
    host: string
  }
  /** Lowest offset first. */
  readonly segments: readonly SegmentInfo[]
}

/** One segment's file, as `inspect` sees it. */
export interface SegmentInfo {
  /** Name of the file. */
  readonly file: string
  /** Offset of its first record. */
  readonly firstOffset: number
  /** Number of its records; 0 where damage hides it. */
  readonly count: number
  /** Length of the file; that of the newest one grows ahead of what is appended. */
  readonly bytes: number
  /** Bytes of it that hold records; 0 where damage hides where they end. */
  readonly frameBytes: number
  /** Whether it is complete and ends with a footer. */
  readonly sealed: boolean
}

/** Counters since the log was opened, and what waits now. */
export interface Stats {
  /** Records made durable. */
  readonly records: number
  /** Groups they were in; one sync each, except with `durability: 'os'`. */
  readonly groups: number
  /** Bytes of their payloads. */
  readonly payloadBytes: number
  /** Bytes written for them. */
  readonly storedBytes: number
  /** As `log.pendingBytes`. */
  readonly pendingBytes: number
  /** Records accepted and not yet durable: the depth of the queue. */
  readonly pendingRecords: number
  /** Records in each group. */
  readonly groupRecords: Distribution
  /** How long syncs took, whole microseconds. */
  readonly syncMicros: Distribution
}

/** How values are spread; a cumulative histogram, as Prometheus and OpenTelemetry take it. */
export interface Distribution {
  /** How many values. */
  readonly count: number
  /** All together; `sum / count` is the mean. */
  readonly sum: number
  /** Median, at most 6 % too high. */
  readonly p50: number
  /** 99th percentile, at most 6 % too high. */
  readonly p99: number
  /** Largest. */
  readonly max: number
  /** How many values were at most `le`. Always the same bounds, each twice the one before plus 1. */
  readonly buckets: readonly {
    /** Upper bound, inclusive. */
    readonly le: number
    /** Values at most that. */
    readonly count: number
  }[]
}
