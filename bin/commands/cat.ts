/** `varve cat`: records to standard output. On a terminal each one takes a line, and nothing in it can command the terminal. */
import { isUtf8 } from 'node:buffer'
import { setImmediate } from 'node:timers/promises'
import type { Log, ReadOptions } from 'varve'
import { command, SECRET } from '../support/command.js'
import { EXIT, Misuse } from '../support/failure.js'
import { jsonLine, offsetsOf, openToRead, RANGE, rangeFrom } from '../support/reading.js'
import type { Screen } from '../support/screen.js'
import { moment, visible } from '../support/words.js'

const NEWLINE = Buffer.from('\n')

export const cat = command({
  name: 'cat',
  summary: 'print records',
  usage: 'DIR',
  args: [1, 1],
  options: {
    ...RANGE,
    reverse: { type: 'boolean', short: 'r', help: 'newest first' },
    follow: { type: 'boolean', help: 'go on with records as they become durable, until Ctrl-C or --limit' },
    long: { type: 'boolean', short: 'l', help: 'offset and time before each value, as on a terminal' },
    raw: { type: 'boolean', help: 'the payloads’ bytes and nothing else, not even newlines' },
    ...SECRET,
  },
  notes: [
    'Prints each value and a newline. On a terminal offset and time come first, and control characters are shown escaped. With --json each record is a line {"offset","time","value"}; payloads that are not UTF-8 have "base64" instead of "value".',
    '',
    'Reads what is durable, also while a writer has the log open; takes no lock and changes nothing.',
  ],
  examples: [
    ['varve cat ./audit -rn 10', 'the last ten records, newest first'],
    ['varve cat ./audit --from 2026-11-25T13:00Z | jq .actor', 'values since a moment, to another program'],
    ['varve cat ./audit --from 2026-11-25 --follow', 'what was written since then, and what comes'],
    ['varve cat ./audit --from 7 --to 8 --raw > payload', 'the bytes of record 7'],
  ],
  async run({ args, given, screen, stop }) {
    if (given.raw && given.json) throw new Misuse('--raw and --json exclude each other')
    if (given.raw && given.long) throw new Misuse('--raw and --long exclude each other')
    if (given.follow && (given.reverse || given.to !== undefined)) {
      throw new Misuse(`--follow and ${given.reverse ? '--reverse' : '--to'} exclude each other`)
    }
    const range = rangeFrom(given)
    const { log, encoding } = await openToRead(args[0]!, given)
    try {
      const long = given.long ?? (screen.isTerminal && !given.raw && !given.json)
      const print = printer(screen, encoding, { json: given.json, raw: given.raw, long })
      const asked = await offsetsOf(log, range)
      if (given.follow) {
        await follow(log, asked, print, screen, stop.signal)
        return EXIT.done
      }
      for await (const chunk of log.read({ ...asked, reverse: given.reverse, signal: stop.signal }).chunks()) {
        for (const { offset, time, value } of chunk) {
          if (print(offset, time, value)) await screen.flush()
        }
        // On a terminal, and to a program that reads along, nothing is held back.
        await screen.flush()
      }
    } finally {
      await log.close()
    }
    return EXIT.done
  },
})

/** Prints records as they come. What one turn of the event loop gives goes out together, and at once. */
async function follow(
  log: Log<Uint8Array, Buffer>,
  { from, limit = Number.POSITIVE_INFINITY }: ReadOptions,
  print: Print,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  let flushing: Promise<void> | undefined
  let left = limit
  if (left === 0) return
  for await (const { offset, time, value } of log.tail({ from: from ?? 'start', signal })) {
    if (print(offset, time, value)) await screen.flush()
    else {
      flushing ??= setImmediate().then(() => {
        flushing = undefined
        return screen.flush()
      })
      flushing.catch(() => {}) // it stops the command, or the next flush says it again
    }
    if (--left === 0) break
  }
}

type Print = (offset: number, time: number, value: Buffer) => boolean

function printer(screen: Screen, encoding: string, how: { json?: boolean; raw?: boolean; long?: boolean }): Print {
  if (how.raw) return (_, __, value) => screen.bytes(value)
  if (how.json) return (offset, time, value) => screen.text(jsonLine(offset, time, value, encoding, 'auto'))
  const safe = screen.isTerminal
  return (offset, time, value) => {
    if (how.long)
      screen.text(`${screen.paint('cyan', String(offset).padStart(6))}  ${screen.paint('dim', moment(time))}  `)
    if (safe) return screen.line(isUtf8(value) ? visible(value.toString()) : screen.paint('dim', hex(value)))
    screen.bytes(value)
    return screen.bytes(NEWLINE)
  }
}

const HEX_BYTES = 32

function hex(value: Buffer): string {
  const more = value.length > HEX_BYTES ? ` … ${value.length} bytes` : ''
  return `<${value.toString('hex', 0, HEX_BYTES)}${more}>`
}
