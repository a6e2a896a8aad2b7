/**
 * Every error that users see is made here, and every error from the addon is translated here and nowhere else.
 *
 * Two families: misuse is a `TypeError` or `RangeError` with `code: 'VARVE_INVALID'`; everything else is a `VarveError`
 * whose `code` is stable. Messages are free to improve: never match on them.
 */
import type { NativeError } from './native.js'
import type { AppendProgress } from './types.js'

/** What went wrong; stable across versions. docs/ERRORS.md says for each what caused it and what to do. */
export type VarveErrorCode =
  /** Too much is pending; nothing was taken. Await `drained()` and try again. */
  | 'VARVE_BUSY'
  /** The log was closed. */
  | 'VARVE_CLOSED'
  /** The files contradict themselves; `verify` lists where. Nothing was changed. */
  | 'VARVE_CORRUPT'
  /** The log was created with another encoding. */
  | 'VARVE_ENCODING_MISMATCH'
  /** `errorIfExists`, and there is a log. */
  | 'VARVE_EXISTS'
  /** The log stopped at an earlier failure, which is the `cause`. Close it and open it again. */
  | 'VARVE_FAILED'
  /** The log does not contain the head given as `expectHead`. */
  | 'VARVE_HEAD_MISMATCH'
  /** The operating system reported a failure, which is the `cause`. */
  | 'VARVE_IO'
  /** Another writer has the log. */
  | 'VARVE_LOCKED'
  /** There is no log in that folder. */
  | 'VARVE_NOT_FOUND'
  /** `expectedOffset` is not the next offset; nothing was taken. */
  | 'VARVE_OFFSET_CONFLICT'
  /** The record is below `firstOffset`. */
  | 'VARVE_PRUNED'
  /** The log was opened with `readOnly`. */
  | 'VARVE_READ_ONLY'
  /** Written by a newer version of varve, or no addon for this platform. */
  | 'VARVE_UNSUPPORTED'
  /** The secret is wrong, missing, or given for a log that has none. */
  | 'VARVE_WRONG_SECRET'

/** What a `VarveError` carries besides code and message. */
export interface VarveErrorDetails {
  /** See `VarveError.outcome`. */
  readonly outcome?: 'none' | 'unknown'
  /** See `VarveError.path`. */
  readonly path?: string
  /** See `VarveError.segment`. */
  readonly segment?: string
  /** See `VarveError.position`. */
  readonly position?: number
  /** See `VarveError.offset`. */
  readonly offset?: number
  /** See `VarveError.expected`. */
  readonly expected?: unknown
  /** See `VarveError.found`. */
  readonly found?: unknown
  /** See `VarveError.progress`. */
  readonly progress?: AppendProgress
  /** See `VarveError.cause`. */
  readonly cause?: Error
}

/** Everything that can go wrong except misuse, which is a `TypeError` or `RangeError` with `code: 'VARVE_INVALID'`. */
export class VarveError extends Error {
  /** What went wrong; stable. */
  readonly code: VarveErrorCode
  /** For appends: `'none'` = nothing was taken, a retry is safe; `'unknown'` = it may be there after reopening. */
  declare readonly outcome?: 'none' | 'unknown'
  /** The file or folder concerned. */
  declare readonly path?: string
  /** Name of the segment file concerned. */
  declare readonly segment?: string
  /** Byte position in that file. */
  declare readonly position?: number
  /** Offset of the record concerned. */
  declare readonly offset?: number
  /** What should have been there. */
  declare readonly expected?: unknown
  /** What was there. */
  declare readonly found?: unknown
  /** For `appendAll` and streams: what is durable of it. */
  declare readonly progress?: AppendProgress
  /**
   * For `VARVE_IO` the system's error with `code` (`'ENOSPC'` …), `errno` and `syscall`; for `VARVE_FAILED` the error
   * that stopped the log.
   */
  declare readonly cause?: Error

  constructor(code: VarveErrorCode, message: string, details: VarveErrorDetails = {}) {
    super(message)
    this.code = code
    for (const [name, value] of Object.entries(details)) {
      if (value === undefined) continue
      // As for every Error, `cause` is not enumerable: loggers print it on their own.
      Object.defineProperty(this, name, { value, enumerable: name !== 'cause', configurable: true, writable: true })
    }
  }

  static {
    Object.defineProperty(VarveError.prototype, 'name', { value: 'VarveError', configurable: true, writable: true })
  }
}

/** An argument of the wrong kind: `invalidType('encoding', "'buffer', …", given)`. */
export function invalidType(name: string, must: string, given: unknown): TypeError {
  return misuse(new TypeError(`${name} must be ${must}, got ${describe(given)}`))
}

/** An argument of the right kind, out of its range. */
export function invalidRange(name: string, must: string, given: unknown): RangeError {
  return misuse(new RangeError(`${name} must be ${must}, got ${describe(given)}`))
}

/** Misuse that "must be …, got …" does not describe. */
export function invalid(message: string, cause?: unknown): TypeError {
  return misuse(new TypeError(message, cause === undefined ? undefined : { cause }))
}

function misuse<E extends Error>(error: E): E {
  return Object.assign(error, { code: 'VARVE_INVALID' as const })
}

/** Names a value in few words, for messages. */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
    case 'bigint':
      return `${value}n`
    case 'function':
      return value.name === '' ? 'a function' : `function ${value.name}`
    case 'object': {
      if (value === null) return 'null'
      const name: unknown = value.constructor?.name
      return typeof name === 'string' && name !== '' && name !== 'Object' ? `an instance of ${name}` : 'an object'
    }
    default:
      return String(value) // undefined, boolean, number, symbol
  }
}

/** An error of the addon as users see it. `outcome` is set for appends, which alone have one. */
export function fromNative(native: NativeError, outcome?: 'none' | 'unknown'): Error {
  if (native.code === 'VARVE_INVALID') return misuse(new RangeError(native.message))
  const { path, segment, position, offset, expected, found } = native
  const cause = native.code === 'VARVE_IO' ? systemError(native) : native.cause && fromNative(native.cause)
  const details = { outcome, path, segment, position, offset, expected, found, cause }
  return new VarveError(native.code as VarveErrorCode, native.message, details)
}

/** Shaped like Node's own system errors: negative `errno`, and the message that `fs` would give. */
function systemError(native: NativeError): Error | undefined {
  const { errno, syscall, path } = native
  const code = native.systemCode
  if (code === undefined && errno === undefined && native.systemMessage === undefined) return undefined
  const what = native.systemMessage ?? 'system error'
  const where = `${syscall === undefined ? '' : `, ${syscall}`}${path === undefined ? '' : ` '${path}'`}`
  const error = new Error(`${code === undefined ? '' : `${code}: `}${what}${where}`)
  return Object.assign(error, { errno: errno === undefined ? undefined : -Math.abs(errno), code, syscall, path })
}

export function closedError(location: string, outcome?: 'none'): VarveError {
  return new VarveError('VARVE_CLOSED', `the log in ${location} is closed; open it again to go on`, {
    outcome,
    path: location,
  })
}

export function failedError(location: string, cause: Error, outcome?: 'none' | 'unknown'): VarveError {
  const taken = outcome === 'none' ? ' and took nothing of this call' : ''
  const message = `the log in ${location} stopped at an earlier failure${taken}; close it and open it again to recover (${cause.message})`
  return new VarveError('VARVE_FAILED', message, { outcome, path: location, cause })
}

export function readOnlyError(location: string): VarveError {
  return new VarveError('VARVE_READ_ONLY', `the log in ${location} is open with readOnly; open it without to append`, {
    outcome: 'none',
    path: location,
  })
}

export function busyError(pendingBytes: number, callBytes: number, limit: number): VarveError {
  const message = `${pendingBytes} bytes are pending and this call adds ${callBytes}, more than 4 × maxPendingBytes = ${limit}; await drained() and try again`
  return new VarveError('VARVE_BUSY', message, { outcome: 'none' })
}

export function conflictError(expected: number, found: number): VarveError {
  const message = `expectedOffset is ${expected}, but the next offset is ${found}; nothing was taken`
  return new VarveError('VARVE_OFFSET_CONFLICT', message, { outcome: 'none', expected, found, offset: found })
}

export function prunedError(offset: number, firstOffset: number): VarveError {
  const message = `record ${offset} was pruned; the first one still there is ${firstOffset}`
  return new VarveError('VARVE_PRUNED', message, { offset, expected: firstOffset, found: offset })
}

/**
 * `error` with `progress`: a new VarveError, because the original may be shared with other waiters; on any other error
 * object the property is added where that is possible, so that the caller's own errors keep their identity.
 */
export function withProgress(error: unknown, progress: AppendProgress): unknown {
  if (error instanceof VarveError) {
    const { outcome, path, segment, position, offset, expected, found, cause } = error
    const details = { outcome, path, segment, position, offset, expected, found, cause, progress }
    return new VarveError(error.code, error.message, details)
  }
  if (error instanceof Error && Object.isExtensible(error)) {
    Object.defineProperty(error, 'progress', { value: progress, enumerable: true, configurable: true, writable: true })
  }
  return error
}
