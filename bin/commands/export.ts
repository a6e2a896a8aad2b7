/** `varve export`: all records with offset and time, for another store or another log. */
import { command, SECRET } from '../support/command.js'
import { EXIT, Misuse } from '../support/failure.js'
import { Progress } from '../support/progress.js'
import { jsonLine, offsetsOf, openToRead, RANGE, rangeFrom } from '../support/reading.js'
import { duration, grouped, many, size } from '../support/words.js'
import { headWords } from './verify.js'

export const exportCommand = command({
  name: 'export',
  summary: 'write records with offset and time as ndjson',
  usage: 'DIR',
  args: [1, 1],
  options: {
    ...RANGE,
    base64: { type: 'boolean', help: 'payloads in base64, as "base64" instead of "value"' },
    format: {
      type: 'string',
      short: 'f',
      choices: ['ndjson', 'length-prefixed'],
      help: 'ndjson (default), or the payloads alone as varve append --format length-prefixed takes them',
    },
    verify: { type: 'boolean', help: 'recompute the hashes of what is read' },
    ...SECRET,
  },
  notes: [
    'Each line is {"offset","time","value"}; time in milliseconds since 1970. Payloads of a json log stand in it as they were stored, others as strings; one that is not UTF-8 ends the export with exit code 1, unless --base64 is given.',
    '',
    'With --json a summary goes to standard error. Offsets and times are told, not kept, by a log that the records are appended to.',
  ],
  examples: [
    ['varve export ./audit > audit.ndjson', 'everything'],
    ['varve export ./files --base64 --from 1000', 'binary payloads, from offset 1000 on'],
    ['varve export ./a -f length-prefixed | varve append ./b -f length-prefixed', 'the payloads into another log'],
  ],
  async run({ args, given, screen, stop }) {
    if (given.base64 && given.format === 'length-prefixed') {
      throw new Misuse('--base64 and --format length-prefixed exclude each other')
    }
    const range = rangeFrom(given)
    const { log, encoding } = await openToRead(args[0]!, given)
    const started = performance.now()
    let [count, bytes] = [0, 0]
    let total = 0
    const progress = new Progress(screen, given.json === true || screen.isTerminal, 'export', () => {
      const seconds = (performance.now() - started) / 1000
      return {
        part: count / Math.max(1, total),
        facts: [many(count, 'record'), `${grouped(count / seconds)}/s`, `${size(bytes / seconds)}/s`],
      }
    })
    try {
      const asked = await offsetsOf(log, range)
      const end = Math.min(asked.to ?? log.head.size, log.head.size)
      total = Math.min(asked.limit ?? end, end - (asked.from ?? log.firstOffset))
      for await (const chunk of log.read({ ...asked, verify: given.verify, signal: stop.signal }).chunks()) {
        for (const { offset, time, value } of chunk) {
          let full: boolean
          if (given.format === 'length-prefixed') {
            screen.bytes(prefix(value.length))
            full = screen.bytes(value)
          } else {
            full = screen.text(jsonLine(offset, time, value, encoding, given.base64 ?? false))
          }
          count++
          bytes += value.length
          if (full) await screen.flush()
        }
      }
      await screen.flush()
    } finally {
      progress.end()
      await log.close()
    }
    const ms = performance.now() - started
    if (given.json) screen.note(JSON.stringify({ count, bytes, head: log.head }))
    else if (screen.isWatched && !screen.isTerminal) {
      screen.note(`exported ${many(count, 'record')} (${size(bytes)}) in ${duration(ms)}; head ${headWords(log.head)}`)
    }
    return EXIT.done
  },
})

function prefix(length: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(length)
  return bytes
}
