/** Defaults and checks of every options object. A refusal names the option and the value; nothing has been touched yet. */
import { KeyObject } from 'node:crypto'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { types } from 'node:util'
import { type Codec, codecOf, isBytes } from './encoding.js'
import { invalid, invalidRange, invalidType } from './errors.js'
import type { NativeHead, NativeOpenOptions } from './native.js'
import { validating } from './schema.js'

type Bag = Record<string, unknown>

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

/** What `open` works with. */
export interface Opening {
  codec: Codec
  signal: AbortSignal | undefined
  maxPendingBytes: number
  native: NativeOpenOptions
}

/** Checks that `options` is an object with known keys only; `undefined` is an empty one. */
export function bag(options: unknown, known: readonly string[], name = 'options'): Bag {
  if (options === undefined) return {}
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidType(name, 'an object', options)
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw invalid(`unknown option ${JSON.stringify(key)}; known are ${known.join(', ')}`)
  }
  return options as Bag
}

/** A safe integer from `least` to `most`. */
export function integer(name: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const words =
    most === Number.MAX_SAFE_INTEGER ? `a safe integer of at least ${least}` : `an integer from ${least} to ${most}`
  if (typeof value !== 'number') throw invalidType(name, words, value)
  if (!Number.isSafeInteger(value) || value < least || value > most) throw invalidRange(name, words, value)
  return value
}

/** An offset. Whoever has a time instead is told where to get one. */
export function checkedOffset(name: string, value: unknown, must = 'a safe integer of at least 0'): number {
  if (types.isDate(value)) {
    throw invalid(
      `${name} must be ${must}, got an instance of Date; await log.offsetAt(date) gives the offset of a time`,
    )
  }
  if (typeof value !== 'number') throw invalidType(name, must, value)
  return integer(name, value, 0)
}

function optionalOffset(options: Bag, name: string): number | undefined {
  const value = options[name]
  return value === undefined ? undefined : checkedOffset(name, value)
}

function optionalInteger(options: Bag, name: string, fallback: number, least: number, most?: number): number {
  const value = options[name]
  return value === undefined ? fallback : integer(name, value, least, most)
}

function optionalBoolean(options: Bag, name: string, fallback: boolean): boolean {
  const value = options[name]
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw invalidType(name, 'true or false', value)
  return value
}

function optionalChoice<const C extends string>(options: Bag, name: string, choices: readonly [C, ...C[]]): C {
  const value = options[name]
  if (value === undefined) return choices[0]
  if (!choices.includes(value as C)) throw invalidType(name, choices.map(choice => `'${choice}'`).join(' or '), value)
  return value as C
}

export function optionalFunction(options: Bag, name: string): ((...args: any[]) => void) | undefined {
  const value = options[name]
  if (value !== undefined && typeof value !== 'function') throw invalidType(name, 'a function', value)
  return value as ((...args: any[]) => void) | undefined
}

export function optionalSignal(options: Bag): AbortSignal | undefined {
  const value = options.signal as AbortSignal | undefined
  if (value === undefined) return undefined
  if (typeof value?.aborted !== 'boolean' || typeof value.addEventListener !== 'function') {
    throw invalidType('signal', 'an AbortSignal', value)
  }
  return value
}

/** The folder as an absolute path. */
export function folder(dir: unknown): string {
  const must = 'a path or a file: URL'
  let path = dir
  if (dir instanceof URL) {
    if (dir.protocol !== 'file:') throw invalidType('dir', must, dir.href)
    path = fileURLToPath(dir)
  }
  if (typeof path !== 'string' || path === '') throw invalidType('dir', must, path)
  if (path.includes('\0')) throw invalid('dir must be a path, got one with a null byte')
  return resolve(path)
}

const HEX_32 = /^[0-9a-f]{64}$/i

function optionalHead(options: Bag): NativeHead | undefined {
  const value = options.expectHead
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null) throw invalidType('expectHead', 'a head { id, size, hash }', value)
  const { id, size, hash } = value as Bag
  if (typeof id !== 'string' || !HEX_32.test(id)) throw invalidType('expectHead.id', '64 hex digits', id)
  if (typeof hash !== 'string' || !HEX_32.test(hash)) throw invalidType('expectHead.hash', '64 hex digits', hash)
  return { id: id.toLowerCase(), size: integer('expectHead.size', size, 0), hash: hash.toLowerCase() }
}

/** Says of a secret only its kind and its length, never its bytes. */
function optionalSecret(options: Bag): Uint8Array | undefined {
  const value = options.secret
  if (value === undefined) return undefined
  let bytes = value
  if (value instanceof KeyObject || types.isKeyObject(value)) {
    if (value.type !== 'secret') throw invalid(`secret must be a KeyObject of type 'secret', got type '${value.type}'`)
    bytes = value.export()
  }
  if (!isBytes(bytes)) throw invalid(`secret must be a Uint8Array or a KeyObject, got a value of type ${typeof value}`)
  if (bytes.length < 32 || bytes.length > 1024) throw invalidRange('secret', '32 to 1024 bytes long', bytes.length)
  return bytes
}

const OPEN = [
  'encoding',
  'schema',
  'compression',
  'durability',
  'segmentBytes',
  'maxRecordBytes',
  'maxPendingBytes',
  'cacheBytes',
  'secret',
  'expectHead',
  'lockTimeout',
  'createIfMissing',
  'errorIfExists',
  'readOnly',
  'signal',
] as const

export function openOptions(given: unknown): Opening {
  const options = bag(given, OPEN)
  const codec = validating(codecOf(options.encoding), options.schema)
  const readOnly = optionalBoolean(options, 'readOnly', false)
  const errorIfExists = optionalBoolean(options, 'errorIfExists', false)
  if (readOnly && errorIfExists) throw invalid('errorIfExists and readOnly exclude each other, got true for both')
  return {
    codec,
    signal: optionalSignal(options),
    maxPendingBytes: optionalInteger(options, 'maxPendingBytes', 16 * MiB, KiB, 2 ** 50),
    native: {
      encoding: codec.name,
      compression: optionalChoice(options, 'compression', ['lz4', 'none']),
      durability: optionalChoice(options, 'durability', ['disk', 'os']),
      segmentBytes: optionalInteger(options, 'segmentBytes', 256 * MiB, 64 * KiB, 64 * GiB),
      maxRecordBytes: optionalInteger(options, 'maxRecordBytes', 16 * MiB, 0, GiB),
      cacheBytes: optionalInteger(options, 'cacheBytes', 8 * MiB, 0),
      secret: optionalSecret(options),
      expectHead: optionalHead(options),
      lockTimeout: optionalInteger(options, 'lockTimeout', 0, 0, 2 ** 31 - 1),
      createIfMissing: !readOnly && optionalBoolean(options, 'createIfMissing', true),
      errorIfExists,
      readOnly,
    },
  }
}

/** `expectedOffset`, checked; `undefined` for none. */
export function appendOptions(given: unknown): number | undefined {
  return optionalOffset(bag(given, ['expectedOffset']), 'expectedOffset')
}

/** What a Reader works with; `to` stays open until the first pull. */
export interface Reading {
  from: number | undefined
  to: number | undefined
  limit: number
  reverse: boolean
  verify: boolean
  chunkBytes: number
  signal: AbortSignal | undefined
}

export function readOptions(given: unknown): Reading {
  const options = bag(given, ['from', 'to', 'limit', 'reverse', 'verify', 'chunkBytes', 'signal'])
  return {
    from: optionalOffset(options, 'from'),
    to: optionalOffset(options, 'to'),
    limit: options.limit === Infinity ? Infinity : optionalInteger(options, 'limit', Infinity, 0),
    reverse: optionalBoolean(options, 'reverse', false),
    verify: optionalBoolean(options, 'verify', false),
    chunkBytes: optionalInteger(options, 'chunkBytes', 256 * KiB, 1, 8 * MiB),
    signal: optionalSignal(options),
  }
}

/** What a tail works with: where it begins, and how it reads. */
export function tailOptions(given: unknown): { from: number | 'start' | 'end'; reading: Reading } {
  const { from, signal } = bag(given, ['from', 'signal'])
  const reading = readOptions({ signal })
  if (from === undefined || from === 'start' || from === 'end') return { from: from ?? 'end', reading }
  return { from: checkedOffset('from', from, "an offset, 'start' or 'end'"), reading }
}

/** `verify`'s options; `secret` only for the one that takes a folder. */
export function verifyOptions(given: unknown, known: readonly string[]) {
  const options = bag(given, known)
  const onProgress = optionalFunction(options, 'onProgress')
  const native = {
    from: optionalOffset(options, 'from'),
    expectHead: optionalHead(options),
    secret: optionalSecret(options),
    progress: onProgress !== undefined,
  }
  return { native, onProgress, signal: optionalSignal(options) }
}

/** Milliseconds since the epoch, of a number or a Date. */
export function milliseconds(given: unknown): number {
  const ms = types.isDate(given) ? given.getTime() : given
  if (typeof ms !== 'number') throw invalidType('ms', 'a number or a Date', given)
  if (!Number.isFinite(ms)) throw invalidRange('ms', 'a finite number or a valid Date', given)
  return Math.min(Math.max(Math.ceil(ms), 0), Number.MAX_SAFE_INTEGER)
}
