/**
 * How values become bytes and back. An encoder returns a string (written as UTF-8 straight into the staging buffer)
 * or bytes; it throws what the caller of `append` gets, before anything was taken.
 */
import { types } from 'node:util'
import { describe, invalid, invalidType } from './errors.js'
import type { Encoding } from './types.js'

/** Methods that Buffers have in every supported runtime, missing in the types: less work per call than `write`, `toString`. */
export type Utf8Buffer = Buffer & {
  utf8Write(text: string, start: number): number
  utf8Slice(start: number, end: number): string
}

/** An encoding as the writer and the reader use it. `index` is the value's place in a batch, or -1. */
export interface Codec {
  readonly name: string
  encode(value: unknown, index: number): string | Uint8Array
  decode(bytes: Utf8Buffer, start: number, end: number): unknown
  /** Where there is one, `decode` is it, of the bytes as UTF-8. What it returns holds no part of the text. */
  readonly parse?: (text: string) => unknown
}

const label = (index: number) => (index < 0 ? 'value' : `values[${index}]`)

/** True for a Uint8Array of any realm: Jest and `vm` have their own. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || types.isUint8Array(value)
}

const buffer: Codec = {
  name: 'buffer',
  encode(value, index) {
    if (isBytes(value)) return value
    throw invalidType(
      label(index),
      'a Uint8Array (the encoding is "buffer"; for other values create the log with "json" or "utf8")',
      value,
    )
  },
  decode: (bytes, start, end) => bytes.subarray(start, end),
}

const utf8: Codec = {
  name: 'utf8',
  encode(value, index) {
    if (typeof value === 'string') return wellFormed(value, index)
    throw invalidType(label(index), 'a string (the encoding is "utf8")', value)
  },
  decode: (bytes, start, end) => bytes.utf8Slice(start, end),
}

const json: Codec = {
  name: 'json',
  encode(value, index) {
    let text: string | undefined
    try {
      // Lone surrogates come out escaped, so any string survives.
      text = JSON.stringify(value)
    } catch (error) {
      throw invalid(`${label(index)} cannot be written as JSON: ${messageOf(error)}`, error)
    }
    if (text !== undefined) return text
    throw invalidType(label(index), 'a JSON value (the encoding is "json")', value)
  },
  decode: (bytes, start, end) => JSON.parse(bytes.utf8Slice(start, end)),
  parse: text => JSON.parse(text),
}

/** UTF-8 cannot hold a lone surrogate; it would come back as U+FFFD, so it is refused: what is read is what was appended. */
function wellFormed(text: string, index: number): string {
  if (text.isWellFormed()) return text
  throw invalid(`${label(index)} must be a well-formed string, got one with a lone surrogate: UTF-8 cannot hold it`)
}

class CustomCodec implements Codec {
  readonly name: string
  readonly #encoding: Encoding<unknown>
  readonly #format: 'buffer' | 'utf8' | 'view'

  constructor(encoding: Encoding<unknown>) {
    this.name = encoding.name
    this.#encoding = encoding
    this.#format = encoding.format ?? 'buffer'
  }

  encode(value: unknown, index: number): string | Uint8Array {
    let data: unknown
    try {
      data = this.#encoding.encode(value)
    } catch (error) {
      throw invalid(`${label(index)} cannot be encoded as "${this.name}": ${messageOf(error)}`, error)
    }
    if (this.#format === 'utf8') {
      if (typeof data === 'string') return wellFormed(data, index)
      throw invalidType(`what encoding "${this.name}" returns for ${label(index)}`, 'a string', data)
    }
    if (isBytes(data)) return data
    throw invalidType(`what encoding "${this.name}" returns for ${label(index)}`, 'a Uint8Array', data)
  }

  decode(bytes: Utf8Buffer, start: number, end: number): unknown {
    if (this.#format === 'utf8') return this.#encoding.decode(bytes.utf8Slice(start, end))
    if (this.#format === 'buffer') return this.#encoding.decode(bytes.subarray(start, end))
    return this.#encoding.decode(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start))
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : describe(error)
}

const MUST = "'buffer', 'utf8', 'json' or an object { name, format, encode, decode }"

/** The codec for the `encoding` option. */
export function codecOf(encoding: unknown): Codec {
  switch (encoding) {
    case undefined:
    case 'buffer':
      return buffer
    case 'utf8':
      return utf8
    case 'json':
      return json
  }
  if (typeof encoding !== 'object' || encoding === null) throw invalidType('encoding', MUST, encoding)
  const { name, format, encode, decode } = encoding as Encoding<unknown>
  const nameBytes = typeof name === 'string' && name.isWellFormed() ? Buffer.byteLength(name) : 0
  if (nameBytes < 1 || nameBytes > 255) throw invalidType('encoding.name', 'a string of 1 to 255 bytes', name)
  if (format !== undefined && format !== 'buffer' && format !== 'utf8' && format !== 'view') {
    throw invalidType('encoding.format', "'buffer', 'utf8' or 'view'", format)
  }
  if (typeof encode !== 'function') throw invalidType('encoding.encode', 'a function', encode)
  if (typeof decode !== 'function') throw invalidType('encoding.decode', 'a function', decode)
  return new CustomCodec(encoding as Encoding<unknown>)
}
