/**
 * How a command fails: one line with the code and what to do, and an exit code. Never a stack trace, except for a defect
 * of the CLI itself, when VARVE_DEBUG is set.
 *
 * 0 done · 1 the data is bad: a damaged log, a bad line of input · 2 the call is wrong · 3 the system prevented it · 130 SIGINT
 */
import { VarveError } from 'varve'

export const EXIT = { done: 0, data: 1, misuse: 2, system: 3 } as const

/** A wrong command line. */
export class Misuse extends Error {
  readonly code = 'VARVE_INVALID'
}

/** A failure with its own exit code and remedy. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly exit: number,
    /** Facts for `--json`. */
    readonly facts: Readonly<Record<string, unknown>> = {},
  ) {
    super(message)
  }
}

/** What is said of an error, and the exit code. */
export interface Verdict {
  readonly code: string
  readonly message: string
  readonly exit: number
  readonly facts: Readonly<Record<string, unknown>>
}

/** Where a code leads, and what to do about it at a shell; where the engine's own words say it, nothing is added. */
const VERDICTS: Readonly<Record<string, readonly [exit: number, todo: ((dir: string) => string) | undefined]>> = {
  VARVE_CORRUPT: [
    EXIT.data,
    dir => `varve verify ${dir} lists the damage, varve recover ${dir} --to NEWDIR copies what is sound`,
  ],
  VARVE_HEAD_MISMATCH: [EXIT.data, undefined],
  VARVE_ENCODING_MISMATCH: [EXIT.misuse, undefined],
  VARVE_EXISTS: [EXIT.misuse, () => 'choose another folder'],
  VARVE_NOT_FOUND: [EXIT.misuse, () => 'check the path (varve append creates a log)'],
  VARVE_PRUNED: [EXIT.misuse, undefined],
  VARVE_WRONG_SECRET: [EXIT.misuse, () => 'secrets are read from --secret-file, VARVE_SECRET_FILE or VARVE_SECRET'],
  VARVE_LOCKED: [EXIT.system, () => 'close it there, or wait with --wait SECONDS where the command has it'],
  VARVE_IO: [EXIT.system, undefined],
  VARVE_FAILED: [EXIT.system, undefined],
  VARVE_UNSUPPORTED: [EXIT.system, undefined],
}

/** Whatever was thrown, as it is shown. `dir` is the log that the command was given. */
export function verdict(error: unknown, dir: string): Verdict {
  if (error instanceof Failure) return error
  if (error instanceof Misuse) return { code: error.code, message: error.message, exit: EXIT.misuse, facts: {} }
  if (error instanceof VarveError) {
    const { path, segment, position, offset, expected, found, cause } = error
    const system = (cause as NodeJS.ErrnoException | undefined)?.code
    const facts = { path, segment, position, offset, expected, found, system }
    if (system === 'ENOTDIR') {
      const message = `${quoted(dir)}, or a part of that path, is a file; DIR is the folder of a log`
      return { code: error.code, message, exit: EXIT.misuse, facts }
    }
    const [exit, todo] = VERDICTS[error.code] ?? [EXIT.system, undefined]
    // The engine says "what; what to do in code": at a shell something else is to be done.
    const message = todo === undefined ? error.message : `${error.message.split('; ')[0]}; ${todo(quoted(dir))}`
    return { code: error.code, message, exit, facts }
  }
  const { code, message, path } = error as NodeJS.ErrnoException
  if (code === 'VARVE_INVALID') return { code, message, exit: EXIT.misuse, facts: {} }
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) {
    const wrong = ['ENOENT', 'EISDIR', 'ENOTDIR'].includes(code)
    return { code, message, exit: wrong ? EXIT.misuse : EXIT.system, facts: { path } }
  }
  const words = `${(error as Error)?.message ?? error}`.split('\n')[0]!
  return {
    code: 'INTERNAL',
    message: `${words}; a defect of varve: please report it (VARVE_DEBUG=1 shows where)`,
    exit: EXIT.system,
    facts: {},
  }
}

/** A path as a shell takes it. */
export function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
