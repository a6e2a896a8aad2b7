/** The log's secret: the bytes of a file, or of an environment variable as they are. Never an argument. */
import { readFileSync } from 'node:fs'
import { Misuse } from './failure.js'

/** Reads it; `undefined` where none is named. */
export function secretFrom(given: { readonly 'secret-file'?: string }): Uint8Array | undefined {
  const { VARVE_SECRET: value, VARVE_SECRET_FILE: variable } = process.env
  const file = given['secret-file'] ?? (variable === '' ? undefined : variable)
  if (file !== undefined) {
    const bytes = readFileSync(file)
    check(bytes.length, `the secret in ${file}`, bytes.at(-1) === 0x0a ? ' (its last newline counted)' : '')
    return bytes
  }
  if (value === undefined || value === '') return undefined
  const bytes = Buffer.from(value)
  check(bytes.length, 'VARVE_SECRET', '')
  return bytes
}

function check(length: number, what: string, counted: string): void {
  if (length < 32 || length > 1024) throw new Misuse(`${what} must have 32 to 1024 bytes; it has ${length}${counted}`)
}
