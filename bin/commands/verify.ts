/** `varve verify`: recomputes everything from the files. Exit code 1 means damage and nothing else. */
import { resolve } from 'node:path'
import { type Head, type Problem, type VerifyReport, verify } from 'varve'
import { command, SECRET, wholeNumber } from '../support/command.js'
import { EXIT, Misuse, quoted } from '../support/failure.js'
import { Progress } from '../support/progress.js'
import type { Screen } from '../support/screen.js'
import { secretFrom } from '../support/secret.js'
import { duration, grouped, many, size } from '../support/words.js'

/** Problems shown to people; `--json` has all. */
const SHOWN = 50

export const verifyCommand = command({
  name: 'verify',
  summary: 'check that nothing was changed, dropped or reordered',
  usage: 'DIR',
  args: [1, 1],
  options: {
    expect: {
      type: 'string',
      value: 'HEAD',
      help: 'the log must contain this head, id:size:hash, kept from an earlier receipt, info or verify',
    },
    from: { type: 'string', value: 'OFFSET', help: 'leave out segments that lie wholly below; default 0' },
    ...SECRET,
  },
  notes: [
    'Exit code 0: sound. 1: damaged, and each problem is listed with segment, position and offset. 2: misuse, no log there, a wrong secret.',
    '',
    'Takes no lock and changes nothing; works while a writer has the log open, and on a log that cannot be opened. Without --expect or a secret the files are only checked against themselves (docs/INTEGRITY.md).',
  ],
  examples: [
    ['varve verify ./audit', 'checks everything; prints the head to keep'],
    ['varve verify ./audit --expect "$(cat head.txt)"', 'also finds a tail cut off and an old copy put back'],
    ['varve verify ./audit --secret-file audit.key --json', 'for a log with a secret; the report as JSON'],
  ],
  async run({ args, given, screen, stop }) {
    const [dir] = args as [string]
    const expectHead = given.expect === undefined ? undefined : headFrom(given.expect)
    const from = wholeNumber('--from', given.from)
    const secret = secretFrom(given)
    const started = performance.now()
    const done = { bytes: 0, totalBytes: 0 }
    const progress = new Progress(screen, given.json === true, 'verify', () => {
      const seconds = (performance.now() - started) / 1000
      return {
        part: done.totalBytes === 0 ? 0 : done.bytes / done.totalBytes,
        facts: [`${size(done.bytes)} of ${size(done.totalBytes)}`, `${size(done.bytes / seconds)}/s`],
      }
    })
    let report: VerifyReport
    try {
      report = await verify(dir, {
        expectHead,
        from,
        secret,
        signal: stop.signal,
        onProgress: p => Object.assign(done, p),
      })
    } finally {
      progress.end()
    }
    if (given.json) screen.json(report)
    else print(screen, dir, report, performance.now() - started)
    return report.ok ? EXIT.done : EXIT.data
  },
})

/** `id:size:hash`, as `info` and `verify` print it. */
export function headFrom(text: string): Head {
  const parts = /^([0-9a-f]{64}):(\d+):([0-9a-f]{64})$/i.exec(text.trim())
  if (parts === null)
    throw new Misuse(`--expect must be id:size:hash, with 64 hex digits for id and hash; got "${text}"`)
  return { id: parts[1]!, size: Number(parts[2]), hash: parts[3]! }
}

export function headWords({ id, size, hash }: Head): string {
  return `${id}:${size}:${hash}`
}

const RESTS_ON = {
  internal: 'these files alone; who writes them can forge them (docs/INTEGRITY.md)',
  secret: 'the secret: who lacks it cannot forge them',
  receipt: 'the head that you gave',
} as const

function print(screen: Screen, dir: string, report: VerifyReport, ms: number): void {
  const { ok, records, bytes, established, head, problems } = report
  const checked = `${many(records, 'record')}, ${size(bytes)} in ${duration(ms)}`
  if (ok) {
    screen.line(`${screen.paint('green', 'sound')}     ${checked}`)
    screen.line(`head      ${headWords(head)}`)
    screen.line(`rests on  ${RESTS_ON[established]}`)
    return
  }
  screen.line(`${screen.paint('red', 'damaged')}   ${many(problems.length, 'problem')}; sound: ${checked}`)
  for (const problem of problems.slice(0, SHOWN)) screen.line(lines(screen, dir, problem))
  if (problems.length > SHOWN)
    screen.line(`… and ${many(problems.length - SHOWN, 'more', 'more')}: varve verify ${quoted(dir)} --json`)
  // A copy cannot bring back what is no longer in the files.
  if (problems.every(({ code }) => code === 'VARVE_HEAD_MISMATCH'))
    screen.line('another log or an older copy, or records were removed or rewritten: the files alone do not tell which')
  else screen.line(`to copy what is sound: varve recover ${quoted(dir)} --to NEWDIR`)
}

function lines(
  screen: Screen,
  dir: string,
  { code, message, segment, position, offset, expected, found }: Problem,
): string {
  const place = [
    segment,
    position === undefined ? undefined : `position ${grouped(position)}`,
    offset === undefined ? undefined : `record ${grouped(offset)}`,
  ].filter(part => part !== undefined)
  // The message goes on with what stands here already.
  const what = message.split(` in ${resolve(dir)}`)[0]!
  const rows = [`  ${screen.paint('bold', place.join(', '))}  ${screen.paint('dim', code)}`, `    ${what}`]
  if (expected !== undefined || found !== undefined)
    rows.push(screen.paint('dim', `    expected ${expected}, found ${found}`))
  return rows.join('\n')
}
