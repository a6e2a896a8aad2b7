/** `varve info`: what a log's folder holds, from headers and footers; ratio and times from a few records. */
import { inspect, type Log, type LogInfo, open, VarveError } from 'varve'
import { command, SECRET } from '../support/command.js'
import { EXIT } from '../support/failure.js'
import type { Screen } from '../support/screen.js'
import { secretFrom } from '../support/secret.js'
import { grouped, many, moment, size } from '../support/words.js'
import { headWords } from './verify.js'

export const info = command({
  name: 'info',
  summary: 'segments, records, bytes, compression, head and times',
  usage: 'DIR',
  args: [1, 1],
  options: {
    head: { type: 'boolean', help: 'print the head alone, id:size:hash, for varve verify --expect' },
    ...SECRET,
  },
  notes: [
    'Reads headers, footers and a few records, so it is quick for a log of any size, and nothing is checked: varve verify does that. Takes no lock.',
  ],
  examples: [
    ['varve info ./audit', 'the log at a glance'],
    ['varve info ./audit --head > head.txt', 'the head, to keep elsewhere'],
    ['varve info ./audit --json | jq -r .head.size', 'the number of records'],
  ],
  async run({ args, given, screen, stop }) {
    const [dir] = args as [string]
    const secret = secretFrom(given)
    const found = await inspect(dir, { signal: stop.signal })
    if (given.head) {
      if (given.json) screen.json(found.head)
      else screen.line(headWords(found.head))
      return EXIT.done
    }
    const sample = await look(dir, found, secret)
    if (given.json) screen.json({ ...found, ...sample })
    else print(screen, found, sample)
    return EXIT.done
  },
})

/** What reading a few records tells; nothing where the log cannot be read. */
interface Sample {
  /** Why there is no more: the code of the refusal. */
  readonly unread?: string
  readonly firstTime?: number
  readonly lastTime?: number
  /** Payload bytes, estimated from the records that were read where not all were. */
  readonly payloadBytes?: number
  /** Bytes of frames for one byte of payload. */
  readonly ratio?: number
  /** True when all records were read for it. */
  readonly exact?: boolean
}

/** Places in the log where records are read. */
const PLACES = 32
const CHUNK_BYTES = 64 * 1024

async function look(dir: string, found: LogInfo, secret: Uint8Array | undefined): Promise<Sample> {
  if (found.head.size === found.firstOffset) return {}
  let log: Log<Uint8Array, Buffer>
  try {
    log = await open(dir, { readOnly: true, secret })
    try {
      return await sample(log, found)
    } finally {
      await log.close()
    }
  } catch (error) {
    // What the folder holds was told; a log that cannot be read has no more to tell.
    if (error instanceof VarveError) return { unread: error.code }
    throw error
  }
}

async function sample(log: Log<Uint8Array, Buffer>, { firstOffset, segments, head }: LogInfo): Promise<Sample> {
  const size = Math.min(head.size, log.head.size)
  const [first, last] = [await log.get(firstOffset), await log.get(size - 1)]
  const step = Math.max(1, (size - firstOffset) / PLACES)
  let [records, bytes, next] = [0, 0, firstOffset]
  for (let at = firstOffset; at < size; at = Math.max(at + step, next)) {
    const chunks = log.read({ from: Math.floor(at), to: size, chunkBytes: CHUNK_BYTES }).chunks()
    const { value: chunk } = await chunks.next()
    await chunks.return?.()
    if (chunk === undefined) break
    for (let index = 0; index < chunk.length; index++) bytes += chunk.bytes(index).length
    records += chunk.length
    next = chunk.offset + chunk.length
  }
  const exact = records === size - firstOffset
  const payloadBytes = Math.round((bytes / Math.max(1, records)) * (size - firstOffset))
  const frameBytes = segments.reduce((sum, segment) => sum + segment.frameBytes, 0)
  const ratio = payloadBytes === 0 ? undefined : Number((frameBytes / payloadBytes).toFixed(3))
  return { firstTime: first?.time, lastTime: last?.time, payloadBytes, ratio, exact }
}

/** Segments listed: the first and the newest ones. */
const LISTED = 12

function print(screen: Screen, info: LogInfo, sample: Sample): void {
  const { head, firstOffset, encoding, keyed, lockedBy, segments } = info
  const frameBytes = segments.reduce((sum, segment) => sum + segment.frameBytes, 0)
  const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
  const row = (name: string, value: string) => screen.line(`${screen.paint('bold', name.padEnd(9))}  ${value}`)
  row(
    'records',
    `${grouped(head.size - firstOffset)}${firstOffset > 0 ? ` (from offset ${grouped(firstOffset)})` : ''}`,
  )
  const files = segments.filter(({ count }) => count > 0).length
  row('bytes', `${size(frameBytes)} of records in ${many(files, 'segment')}; ${size(bytes)} on disk`)
  if (sample.ratio !== undefined && sample.payloadBytes !== undefined) {
    const about = sample.exact ? '' : 'about '
    row(
      'ratio',
      `${about}${sample.ratio.toFixed(2)} stored for each byte of payload (${about}${size(sample.payloadBytes)})`,
    )
  }
  if (sample.firstTime !== undefined && sample.lastTime !== undefined) {
    row('times', `${moment(sample.firstTime)} to ${moment(sample.lastTime)}`)
  }
  row('encoding', `${encoding}${keyed ? ', sealed with a secret' : ''}`)
  row('writer', lockedBy === undefined ? 'none' : `pid ${lockedBy.pid} on ${lockedBy.host}`)
  row('head', headWords(head))
  if (sample.unread !== undefined)
    row('unread', `${sample.unread}: the log cannot be read, so ratio and times are unknown`)
  screen.line()
  table(screen, info)
}

function table(screen: Screen, { segments }: LogInfo): void {
  const rows = segments.map(({ file, firstOffset, count, bytes, sealed }) => [
    file,
    count === 0 ? '–' : grouped(firstOffset),
    grouped(count),
    size(bytes),
    sealed ? 'sealed' : count === 0 ? 'spare' : 'active',
  ])
  const shown = rows.length <= LISTED ? rows : [rows[0]!, ...rows.slice(1 - LISTED)]
  const head = ['segment', 'from', 'records', 'bytes', '']
  const widths = head.map((name, at) => Math.max(name.length, ...shown.map(row => row[at]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => (at === 0 || at === 4 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join('  ')
      .trimEnd()
  screen.line(screen.paint('dim', line(head)))
  shown.forEach((row, at) => {
    if (at === 1 && shown.length < rows.length) screen.line(`… ${many(rows.length - shown.length, 'more', 'more')} …`)
    screen.line(line(row))
  })
}
