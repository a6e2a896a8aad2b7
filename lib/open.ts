/** The ways in: `open`, `openMemory`, `verify` and `inspect`. */
import { load } from './loader.js'
import { LocalLog } from './log.js'
import type { Binding, NativeOpened, NativeOpenOptions } from './native.js'
import { bag, folder, openOptions, optionalSignal, verifyOptions } from './options.js'
import type { LogInfo, VerifyOptions, VerifyReport } from './reports.js'
import { request, sessionOf } from './session.js'
import type { Encoding, Log, OpenOptions, SchemaInput, SchemaOutput, Secret, StandardSchema } from './types.js'

/**
 * Opens (or creates) the log in `dir`, recovers it and takes its writer lock. Bytes in, `Buffer`s out.
 *
 * Rejects with `VARVE_LOCKED`, `VARVE_NOT_FOUND`, `VARVE_EXISTS`, `VARVE_WRONG_SECRET`, `VARVE_ENCODING_MISMATCH`,
 * `VARVE_HEAD_MISMATCH`, `VARVE_CORRUPT`, `VARVE_UNSUPPORTED` or `VARVE_IO`; except after `VARVE_IO`, nothing on disk was changed.
 */
export function open(
  dir: string | URL,
  options?: OpenOptions & { encoding?: 'buffer' },
): Promise<Log<Uint8Array, Buffer>>
/** Strings in and out, as UTF-8. A string with a lone surrogate is a `TypeError`: UTF-8 cannot hold it. */
export function open(dir: string | URL, options: OpenOptions & { encoding: 'utf8' }): Promise<Log<string>>
/**
 * Values as JSON, each checked by a Standard Schema (zod, valibot, arktype …) before it is appended. What the schema
 * returns (defaults filled in, transformed) is stored, as JSON. A value that it refuses is a `TypeError` that lists the
 * issues with their paths (and has them as its `cause`); nothing of that call was taken. What is read is not checked again:
 * records may be older than the schema.
 */
export function open<S extends StandardSchema>(
  dir: string | URL,
  options: OpenOptions & {
    encoding: 'json'
    /** Checks synchronously: a `validate` that returns a promise is a `TypeError`. */
    schema: S
  },
): Promise<Log<SchemaInput<S>, SchemaOutput<S>>>
/** Values as JSON, as `JSON.stringify` writes them. `open<MyEvent>(…)` names the type; nothing checks it at run time. */
export function open<T = unknown>(dir: string | URL, options: OpenOptions & { encoding: 'json' }): Promise<Log<T>>
/** A custom encoding (abstract-level's interface, e.g. msgpackr). */
export function open<In, Out = In>(
  dir: string | URL,
  options: OpenOptions & { encoding: Encoding<In, Out> },
): Promise<Log<In, Out>>
export async function open(dir: string | URL, options?: OpenOptions): Promise<Log<any, any>> {
  return openWith(load, dir, options)
}

/**
 * A new log in memory, for tests of what uses a log: the same engine, API and errors, and no files. Takes the options of
 * `open` and does what `open` does in a folder where nothing is yet; so a `readOnly` one is `VARVE_NOT_FOUND`. Its
 * `location` is a name such as `'memory:1'`; closing it frees its memory, and nothing of it is left.
 */
export function openMemory(options?: OpenOptions & { encoding?: 'buffer' }): Promise<Log<Uint8Array, Buffer>>
/** Strings in and out, as UTF-8. */
export function openMemory(options: OpenOptions & { encoding: 'utf8' }): Promise<Log<string>>
/** Values as JSON, each checked by a Standard Schema before it is appended. */
export function openMemory<S extends StandardSchema>(
  options: OpenOptions & {
    encoding: 'json'
    /** Checks synchronously. */
    schema: S
  },
): Promise<Log<SchemaInput<S>, SchemaOutput<S>>>
/** Values as JSON. */
export function openMemory<T = unknown>(options: OpenOptions & { encoding: 'json' }): Promise<Log<T>>
/** A custom encoding. */
export function openMemory<In, Out = In>(options: OpenOptions & { encoding: Encoding<In, Out> }): Promise<Log<In, Out>>
export async function openMemory(options?: OpenOptions): Promise<Log<any, any>> {
  return openMemoryWith(load, options)
}

/**
 * Checks a log's files without opening it for writing: also one that `open` refuses. Never changes anything.
 *
 * Damage is in the report. Rejects with `VARVE_NOT_FOUND`, `VARVE_WRONG_SECRET` or `VARVE_IO`.
 */
export async function verify(
  dir: string | URL,
  options?: VerifyOptions & {
    /** The log's secret; without it a log that has one is `VARVE_WRONG_SECRET`. Default none. */
    secret?: Secret
  },
): Promise<VerifyReport> {
  return verifyWith(load, dir, options)
}

/**
 * Segments, counts, sizes, head, holder of the lock; reads headers and footers only. Never changes anything.
 *
 * Rejects with `VARVE_NOT_FOUND`, with `VARVE_CORRUPT` where no segment has a header that can be read, or with `VARVE_IO`.
 */
export async function inspect(dir: string | URL, options?: { signal?: AbortSignal }): Promise<LogInfo> {
  return inspectWith(load, dir, options)
}

/** @internal `open` on a given addon. */
export async function openWith(addon: () => Binding, dir: unknown, options: unknown): Promise<Log<any, any>> {
  const path = folder(dir)
  return start(addon, options, path, (binding, number, native) => binding.open(number, path, native))
}

/** @internal `openMemory` on a given addon. */
export async function openMemoryWith(addon: () => Binding, options: unknown): Promise<Log<any, any>> {
  return start(addon, options, 'memory', (binding, number, native) => binding.openMemory(number, native))
}

function start(
  addon: () => Binding,
  options: unknown,
  location: string,
  send: (binding: Binding, number: number, native: NativeOpenOptions) => void,
): Promise<Log<any, any>> {
  const { codec, signal, maxPendingBytes, native } = openOptions(options)
  const session = sessionOf(addon())
  const { maxRecordBytes, readOnly } = native
  return request(session, number => send(session.binding, number, native), {
    location,
    signal,
    convert: (opened: NativeOpened) =>
      new LocalLog<any, any>(session, opened, { codec, maxRecordBytes, maxPendingBytes, readOnly }),
  })
}

/** @internal `verify` on a given addon. */
export async function verifyWith(addon: () => Binding, dir: unknown, options: unknown): Promise<VerifyReport> {
  const path = folder(dir)
  const known = ['from', 'expectHead', 'secret', 'signal', 'onProgress']
  const { native, onProgress, signal } = verifyOptions(options, known)
  const session = sessionOf(addon())
  return request(session, number => session.binding.verifyDir(number, path, native), { signal, onProgress })
}

/** @internal `inspect` on a given addon. */
export async function inspectWith(addon: () => Binding, dir: unknown, options: unknown): Promise<LogInfo> {
  const path = folder(dir)
  const signal = optionalSignal(bag(options, ['signal']))
  const session = sessionOf(addon())
  return request(session, number => session.binding.inspect(number, path), { signal })
}
