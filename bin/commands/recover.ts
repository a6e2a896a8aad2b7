/**
 * `varve recover`: shows what opening would repair, and does it only when told to. Of a log that is refused it copies what
 * is sound into a new one. The log itself is changed by `--yes` alone.
 */
import { open, planRecovery, type RecoveryPlan, type SalvageReport, salvage } from 'varve'
import { command, SECRET, wholeNumber } from '../support/command.js'
import { EXIT, Misuse, quoted } from '../support/failure.js'
import { Progress } from '../support/progress.js'
import type { Screen } from '../support/screen.js'
import { secretFrom } from '../support/secret.js'
import { Interrupted } from '../support/stop.js'
import { grouped, many, size } from '../support/words.js'
import { headFrom, headWords } from './verify.js'

/** Ranges shown to people; `--json` has more. */
const SHOWN = 50

export const recover = command({
  name: 'recover',
  summary: 'show or do what a crash made necessary, or copy what is sound',
  usage: 'DIR [--yes | --to NEWDIR]',
  args: [1, 1],
  options: {
    yes: { type: 'boolean', short: 'y', help: 'do it, as opening the log for writing does' },
    to: {
      type: 'string',
      value: 'NEWDIR',
      help: 'copy every record that is sound into a new log; DIR is only read, NEWDIR must not exist',
    },
    expect: { type: 'string', value: 'HEAD', help: 'refuse unless the log contains this head, id:size:hash' },
    wait: { type: 'string', value: 'SECONDS', help: 'with --yes: wait so long for another writer; default 0' },
    ...SECRET,
  },
  notes: [
    'After a crash the end of the log may be torn: bytes behind the last whole batch, never acknowledged. Opening the log for writing cuts them and keeps them in a lost-….bin file. Without --yes this only says what would be done.',
    '',
    'A log whose damage no crash explains is refused (exit code 1) and not changed. With --to what is sound of it is copied: whole batches, with their times. The new log has another id and head, and offsets close up where records are missing, so receipts of the old log do not hold for it: keep the old folder. Exit code 1 when something had to be left out.',
  ],
  examples: [
    ['varve recover ./audit', 'what would be repaired'],
    ['varve recover ./audit --yes', 'repairs it'],
    ['varve recover ./audit --to ./rescued', 'copies what is sound, and lists what is not'],
  ],
  async run({ args, given, screen, stop }) {
    const [dir] = args as [string]
    if (given.to !== undefined && (given.yes || given.expect !== undefined || given.wait !== undefined)) {
      throw new Misuse('--to only reads DIR, so --yes, --expect and --wait say nothing with it')
    }
    const secret = secretFrom(given)
    const expectHead = given.expect === undefined ? undefined : headFrom(given.expect)
    const lockTimeout = (wholeNumber('--wait', given.wait) ?? 0) * 1000
    if (given.to !== undefined) {
      const report = await copied(dir, given.to, secret, screen, stop.signal, given.json === true)
      if (given.json) screen.json(report)
      else printCopy(screen, dir, given.to, report)
      return report.leftOut.length === 0 ? EXIT.done : EXIT.data
    }
    const plan = await planRecovery(dir, { expectHead, secret, signal: stop.signal })
    if (given.yes) {
      // Under the lock everything is looked at again, so what is done is what is right then.
      const log = await open(dir, { createIfMissing: false, expectHead, secret, lockTimeout })
      await log.close()
    }
    if (given.json) screen.json({ done: given.yes === true, ...plan })
    else printPlan(screen, dir, plan, given.yes === true)
    return EXIT.done
  },
})

async function copied(
  dir: string,
  to: string,
  secret: Uint8Array | undefined,
  screen: Screen,
  signal: AbortSignal,
  quiet: boolean,
): Promise<SalvageReport> {
  const started = performance.now()
  const done = { bytes: 0, totalBytes: 0 }
  const progress = new Progress(screen, quiet, 'copy', () => ({
    part: done.totalBytes === 0 ? 0 : done.bytes / done.totalBytes,
    facts: [
      `${size(done.bytes)} of ${size(done.totalBytes)}`,
      `${size((done.bytes * 1000) / (performance.now() - started))}/s`,
    ],
  }))
  try {
    return await salvage(dir, to, { secret, signal, onProgress: p => Object.assign(done, p) })
  } catch (error) {
    progress.end()
    if (error instanceof Interrupted) screen.note(`varve: interrupted; ${quoted(`${to}.partial`)} can be removed`)
    throw error
  } finally {
    progress.end()
  }
}

function printPlan(screen: Screen, dir: string, { head, cuts, seals }: RecoveryPlan, done: boolean): void {
  for (const { segment, position, cutBytes, savedAs } of cuts) {
    screen.line(
      `${done ? 'cut' : 'would cut'}   ${many(cutBytes, 'byte')} of ${segment} from position ${grouped(position)} on, ` +
        `kept in ${savedAs}`,
    )
  }
  if (seals !== undefined) screen.line(`${done ? 'sealed' : 'would seal'}  ${seals}`)
  const idle = cuts.length === 0 && seals === undefined
  // It is no verdict on the records before the end, which nobody has read.
  if (idle)
    screen.line(`${screen.paint('green', 'nothing to repair')} at the end; varve verify ${quoted(dir)} checks the rest`)
  screen.line(`records  ${grouped(head.size)}`)
  screen.line(`head     ${headWords(head)}`)
  if (!idle && !done) screen.line(`nothing was changed; to do it: varve recover ${quoted(dir)} --yes`)
}

function printCopy(screen: Screen, dir: string, to: string, report: SalvageReport): void {
  const { records, payloadBytes, recordsLeftOut, runs, leftOut, head } = report
  screen.line(`copied    ${many(records, 'record')} (${size(payloadBytes)}) to ${to}`)
  if (leftOut.length === 0) screen.line(`${screen.paint('green', 'left out')}  nothing`)
  else screen.line(`${screen.paint('red', 'left out')}  ${many(recordsLeftOut, 'record')}`)
  for (const { from, to, segment, position, why } of leftOut.slice(0, SHOWN)) {
    const which =
      to === undefined
        ? `behind ${grouped(from)}`
        : to - from === 1
          ? grouped(from)
          : `${grouped(from)} to ${grouped(to - 1)}`
    const place = segment === undefined ? '' : `${segment}, position ${grouped(position ?? 0)}: `
    screen.line(`  ${screen.paint('bold', which)}  ${place}${why}`)
  }
  if (leftOut.length > SHOWN) screen.line(`  … and ${many(leftOut.length - SHOWN, 'more', 'more')} (--json lists them)`)
  const moved = runs.find(({ from, at }) => from !== at)
  if (moved !== undefined) {
    screen.line(`offsets   close up: record ${grouped(moved.from)} is now ${grouped(moved.at)} (--json tells all)`)
  }
  screen.line(`head      ${headWords(head)}`)
  screen.line(`the copy has another id: receipts and heads of ${quoted(dir)} do not hold for it, so keep that folder`)
}
