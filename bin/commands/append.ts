/**
 * `varve append`: records from files or standard input into a log, with back-pressure. Every way it can end says what
 * is durable: the end of the input, a bad record, a signal, a failing disk.
 */
import { createReadStream, statSync } from 'node:fs'
import { type AppendProgress, type Encoding, inspect, open, type Receipt, type VarveError } from 'varve'
import { command, SECRET, wholeNumber } from '../support/command.js'
import { EXIT, Failure, Misuse, verdict } from '../support/failure.js'
import { Progress } from '../support/progress.js'
import { type Check, FORMATS, type Format, type Input, Records } from '../support/records.js'
import { secretFrom } from '../support/secret.js'
import { Interrupted } from '../support/stop.js'
import { duration, grouped, many, offsets, size } from '../support/words.js'

const READ_BYTES = 256 * 1024
const MAX_RECORD_BYTES = 16 * 1024 * 1024

/** What each format creates when there is no log yet. */
const ENCODINGS = { ndjson: 'json', lines: 'utf8', 'length-prefixed': 'buffer' } as const

export const append = command({
  name: 'append',
  summary: 'append records from files or standard input',
  usage: 'DIR [FILE …]',
  args: [1, 10_000],
  options: {
    format: {
      type: 'string',
      short: 'f',
      choices: FORMATS,
      help: 'how records stand in the input; default: what fits the log, ndjson for a new one',
    },
    durability: {
      type: 'string',
      choices: ['disk', 'os'],
      help: 'count a record as durable after fsync (default), or after the write',
    },
    compression: { type: 'string', choices: ['lz4', 'none'], help: 'codec for new frames; default lz4' },
    'max-record-bytes': { type: 'string', value: 'N', help: 'refuse longer records; default 16777216' },
    wait: { type: 'string', value: 'SECONDS', help: 'wait so long for another writer; default 0' },
    'no-create': { type: 'boolean', help: 'fail when there is no log in DIR' },
    ...SECRET,
  },
  notes: [
    'ndjson: one JSON value a line, stored as it stands there; blank lines are passed over. lines: each line as it is, without its newline. length-prefixed: 4 bytes little-endian length, then the payload. A new log gets encoding json, utf8 or buffer.',
    '',
    'A record that cannot be taken ends the command with exit code 1: the message names file and line, and what was appended before it, which stays. Nothing behind it is appended.',
  ],
  examples: [
    ['varve append ./audit events.ndjson', 'appends a file of JSON lines; creates ./audit when there is none'],
    [
      'tail -F app.log | varve append ./log --format lines',
      'appends what another program writes, as it comes; Ctrl-C ends it',
    ],
    ['varve append ./audit --json < events.ndjson', 'prints count, offsets and head when all of it is durable'],
  ],
  async run({ args, given, screen, stop }) {
    const [dir, ...files] = args as [string, ...string[]]
    const secret = secretFrom(given)
    const maxRecordBytes = wholeNumber('--max-record-bytes', given['max-record-bytes']) ?? MAX_RECORD_BYTES
    const lockTimeout = (wholeNumber('--wait', given.wait) ?? 0) * 1000
    const { inputs, totalBytes } = inputsOf(files)
    const stored = await storedEncoding(dir)
    const format = (given.format as Format | undefined) ?? formatFor(stored)
    const encoding = stored ?? ENCODINGS[format]
    const records = new Records(inputs, format, checkFor(encoding, format), maxRecordBytes)
    const log = await open(dir, {
      encoding: asIs(encoding),
      durability: given.durability as 'disk' | 'os' | undefined,
      compression: given.compression as 'lz4' | 'none' | undefined,
      createIfMissing: !given['no-create'],
      maxRecordBytes,
      lockTimeout,
      secret,
    })
    const before = log.head.size
    const started = performance.now()
    let done: AppendProgress = { count: 0, bytes: 0, head: log.head }
    const progress = new Progress(screen, given.json === true, 'append', () => {
      const seconds = (performance.now() - started) / 1000
      return {
        part: totalBytes === undefined ? undefined : records.bytesRead / Math.max(1, totalBytes),
        facts: [
          many(done.count, 'record'),
          `${grouped(done.count / seconds)}/s`,
          `${size(records.bytesRead / seconds)}/s`,
        ],
      }
    })
    let failed: unknown
    try {
      done = await log.appendAll(records, { signal: stop.signal, onProgress: progress => (done = progress) })
    } catch (error) {
      done = (error as VarveError).progress ?? done
      failed = error
    }
    progress.end()
    if (failed !== undefined) process.stdin.destroy()
    // What could not be made durable is said once, by the failure that came first.
    await log.close().catch(error => (failed ??= error))
    if (failed === undefined) {
      const ms = performance.now() - started
      if (given.json) screen.json({ ...summary(before, done), bytes: done.bytes, milliseconds: Math.round(ms) })
      else if (screen.isWatched) screen.note(words(before, done, ms))
      return EXIT.done
    }
    if (failed instanceof Interrupted) {
      if (given.json) screen.json({ ...summary(before, done), bytes: done.bytes, interrupted: failed.signal })
      else screen.note(`varve: interrupted; ${durable(before, done)}`)
      return failed.exit
    }
    const { code, message, exit, facts } = verdict(failed, dir)
    throw new Failure(`${message}; ${durable(before, done)}`, code, exit, { ...facts, appended: summary(before, done) })
  },
})

/** Bytes as they are, under the log's own encoding: what is stored was checked before. */
function asIs(name: string): Encoding<Uint8Array, Buffer> {
  return { name, format: 'buffer', encode: bytes => bytes, decode: bytes => bytes }
}

/** The encoding of the log in `dir`; `undefined` where there is none. */
async function storedEncoding(dir: string): Promise<string | undefined> {
  try {
    return (await inspect(dir)).encoding
  } catch (error) {
    if ((error as VarveError).code === 'VARVE_NOT_FOUND') return undefined
    throw error
  }
}

function formatFor(encoding: string | undefined): Format {
  if (encoding === undefined || encoding === 'json') return 'ndjson'
  if (encoding === 'utf8') return 'lines'
  throw new Misuse(`the log stores encoding "${encoding}", which says nothing of the input: give --format`)
}

function checkFor(encoding: string, format: Format): Check {
  if (encoding === 'json') return 'json'
  if (encoding === 'utf8') return 'utf8'
  if (encoding === 'buffer' || format === 'length-prefixed') return 'bytes'
  throw new Misuse(
    `the log stores encoding "${encoding}": encode the payloads and give them with --format length-prefixed`,
  )
}

/** All files are looked at before anything is appended. */
function inputsOf(files: readonly string[]): { inputs: Input[]; totalBytes: number | undefined } {
  if (files.length === 0 || (files.length === 1 && files[0] === '-')) {
    if (process.stdin.isTTY) process.stderr.write('varve: reading records from the terminal; Ctrl-D ends them\n')
    return { inputs: [{ name: 'stdin', open: () => process.stdin }], totalBytes: undefined }
  }
  let totalBytes: number | undefined = 0
  const inputs = files.map(file => {
    const stat = statSync(file)
    if (stat.isDirectory()) throw new Misuse(`${file} is a folder, not a file of records`)
    totalBytes = stat.isFile() && totalBytes !== undefined ? totalBytes + stat.size : undefined
    return { name: file, open: () => createReadStream(file, { highWaterMark: READ_BYTES }) }
  })
  return { inputs, totalBytes }
}

function summary(
  before: number,
  { count, head }: AppendProgress,
): { offset: number } & Pick<Receipt, 'count' | 'head'> {
  return { offset: before, count, head }
}

function durable(before: number, { count }: AppendProgress): string {
  if (count === 0) return 'nothing was appended'
  return `${many(count, 'record')} before that ${count === 1 ? 'is' : 'are'} durable, at ${offsets(before, before + count)}`
}

function words(before: number, done: AppendProgress, ms: number): string {
  if (done.count === 0) return 'nothing to append'
  const rate = `${grouped((done.count * 1000) / ms)} records/s, ${size((done.bytes * 1000) / ms)}/s`
  return `appended ${many(done.count, 'record')} (${size(done.bytes)}) at ${offsets(before, before + done.count)} in ${duration(ms)}: ${rate}`
}
