/** What `cat` and `export` share: the log open for reading, its range, and records as lines. */
import { isUtf8 } from 'node:buffer'
import { inspect, type Log, open, type ReadOptions } from 'varve'
import { type Given, type Options, type SECRET, wholeNumber } from './command.js'
import { EXIT, Failure, Misuse } from './failure.js'
import { secretFrom } from './secret.js'

/** Options that say which records. */
export const RANGE = {
  from: { type: 'string', value: 'AT', help: 'first record: an offset, or a time such as 2026-11-25T13:00Z' },
  to: { type: 'string', value: 'AT', help: 'the record behind the last one: an offset or a time' },
  limit: { type: 'string', short: 'n', value: 'N', help: 'at most N records' },
} as const satisfies Options

/** A log open for reading: no lock is taken, so a writer may be at work. */
export interface Source {
  readonly log: Log<Uint8Array, Buffer>
  /** Name of the stored encoding. */
  readonly encoding: string
}

/** Opens the log in `dir`; `encoding: 'buffer'` gives the bytes of any log. */
export async function openToRead(dir: string, given: Given<typeof SECRET>): Promise<Source> {
  const secret = secretFrom(given)
  const { encoding } = await inspect(dir)
  return { log: await open(dir, { readOnly: true, secret }), encoding }
}

/** A place in a log: an offset, or a moment. */
type Place = number | Date | undefined

/** Which records were asked for, as far as the command line tells; read before the log is opened. */
export interface Range {
  readonly from: Place
  readonly to: Place
  readonly limit: number | undefined
}

export function rangeFrom(given: Given<typeof RANGE>): Range {
  const { from, to, limit } = given
  return { from: place('--from', from), to: place('--to', to), limit: wholeNumber('--limit', limit) }
}

function place(name: string, text: string | undefined): Place {
  if (text === undefined || /^\d+$/.test(text)) return wholeNumber(name, text)
  const time = /^\d{4}-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw new Misuse(`${name} must be an offset or an ISO time; got "${text}"`)
  return new Date(Math.max(0, time))
}

/** The range as offsets. */
export async function offsetsOf(log: Log<Uint8Array, Buffer>, range: Range): Promise<ReadOptions> {
  const offset = async (place: Place) => (place instanceof Date ? log.offsetAt(place) : place)
  return { from: await offset(range.from), to: await offset(range.to), limit: range.limit }
}

/** A record as one line of JSON. JSON payloads stand in it as they were stored, so that no digit is lost. */
export function jsonLine(
  offset: number,
  time: number,
  bytes: Uint8Array,
  encoding: string,
  base64: boolean | 'auto',
): string {
  const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const start = `{"offset":${offset},"time":${time},`
  const utf8 = base64 !== true && isUtf8(payload)
  if (!utf8) {
    if (base64 !== false) return `${start}"base64":"${payload.toString('base64')}"}\n`
    const message = `record ${offset} is not valid UTF-8; export the payloads with --base64`
    throw new Failure(message, 'BAD_OUTPUT', EXIT.data, { offset })
  }
  const text = payload.toString()
  return `${start}"value":${encoding === 'json' ? oneLine(text, offset) : JSON.stringify(text)}}\n`
}

/** JSON text without line breaks. Between tokens they mean nothing; inside strings JSON has none. */
function oneLine(text: string, offset: number): string {
  try {
    JSON.parse(text)
  } catch {
    throw new Failure(
      `record ${offset} of a json log is not JSON; look at it with varve cat --raw`,
      'BAD_OUTPUT',
      EXIT.data,
      { offset },
    )
  }
  return /[\r\n]/.test(text) ? text.replace(/[\r\n]+/g, ' ') : text
}
