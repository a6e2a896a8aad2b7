/** What a command is made of, and the reading of its arguments: nothing unknown is ever passed over. */
import { parseArgs } from 'node:util'
import { Misuse } from './failure.js'
import type { Screen } from './screen.js'
import type { Stop } from './stop.js'
import { closest } from './words.js'

/** One option. */
export interface Option {
  readonly type: 'boolean' | 'string'
  readonly short?: string
  /** Names the value in the help: `--limit N`. */
  readonly value?: string
  readonly help: string
  /** The only values. */
  readonly choices?: readonly string[]
}

/** Options by name. */
export type Options = Readonly<Record<string, Option>>

/** What was given for them. */
export type Given<O extends Options> = { readonly [K in keyof O]?: O[K]['type'] extends 'boolean' ? true : string }

/** What a command is called with. */
export interface Call<O extends Options> {
  readonly args: readonly string[]
  readonly given: Given<O> & { readonly json?: true }
  readonly screen: Screen
  readonly stop: Stop
}

/** A command; `run` gives the exit code. */
export interface Command<O extends Options = any> {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** What stands after the name in the usage. */
  readonly usage: string
  /** Positional arguments, least and most. */
  readonly args: readonly [least: number, most: number]
  readonly options: O
  /** Command lines and what they do. */
  readonly examples: readonly (readonly [line: string, does: string])[]
  /** What else is to be known, in lines. */
  readonly notes?: readonly string[]
  run(call: Call<O>): Promise<number>
}

/** A command with its options' types kept. */
export function command<const O extends Options>(given: Command<O>): Command<O> {
  return given
}

/** Options of every command. */
export const COMMON = {
  json: { type: 'boolean', help: 'answer as JSON, for programs; errors too, on stderr' },
  help: { type: 'boolean', short: 'h', help: 'this text' },
} as const satisfies Options

/** Secrets come from a file or the environment: arguments can be read by every user of the machine. */
export const SECRET = {
  'secret-file': {
    type: 'string',
    value: 'FILE',
    help: 'the log’s secret: the bytes of FILE (or set VARVE_SECRET_FILE, VARVE_SECRET)',
  },
} as const satisfies Options

/** Splits a command line into options and the rest; throws `Misuse` for everything that the command does not know. */
export function read<O extends Options>(
  command: Command<O>,
  line: readonly string[],
): { args: string[]; given: Given<O> & { json?: true; help?: true } } {
  const known: Options = { ...command.options, ...COMMON }
  const config = Object.fromEntries(
    Object.entries(known).map(([name, { type, short }]) => [name, short === undefined ? { type } : { type, short }]),
  )
  // Not strict: what is wrong is said in our words.
  const { tokens } = parseArgs({
    args: [...line],
    options: config,
    strict: false,
    allowPositionals: true,
    tokens: true,
  })
  const given: Record<string, true | string> = {}
  const args: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') args.push(token.value)
    if (token.kind !== 'option') continue
    const option = known[token.name]
    if (option === undefined) throw unknown(command, token.rawName, Object.keys(known))
    if (Object.hasOwn(given, token.name)) throw new Misuse(`${token.rawName} was given twice`)
    given[token.name] = option.type === 'boolean' ? flag(token) : value(option, token)
  }
  if (given.help === undefined) count(command, args)
  return { args, given: given as any }
}

interface Token {
  rawName: string
  value?: string | undefined
  inlineValue?: boolean | undefined
}

function flag({ rawName, value }: Token): true {
  if (value !== undefined) throw new Misuse(`${rawName} takes no value, got "${value}"`)
  return true
}

function value({ value: name = 'VALUE', choices }: Option, { rawName, value, inlineValue }: Token): string {
  if (value === undefined || (!inlineValue && value.length > 1 && value.startsWith('-'))) {
    throw new Misuse(`${rawName} needs a value: ${rawName} ${choices?.join('|') ?? name}`)
  }
  if (choices !== undefined && !choices.includes(value)) {
    throw new Misuse(`${rawName} must be ${either(choices)}; got "${value}"`)
  }
  return value
}

/** `a, b or c`. */
function either(words: readonly string[]): string {
  return words.join(', ').replace(/, ([^,]*)$/, ' or $1')
}

function unknown(command: Command, raw: string, known: readonly string[]): Misuse {
  if (/^--(secret|password|key)$/.test(raw)) {
    return new Misuse(`no secret is taken from arguments, which others can see: use --secret-file FILE or VARVE_SECRET`)
  }
  const near = closest(raw.replace(/^-+/, ''), known)
  const hint = near === undefined ? `see: varve ${command.name} --help` : `did you mean --${near}?`
  return new Misuse(`unknown option ${raw}; ${hint}`)
}

function count({ name, usage, args: [least, most] }: Command, args: readonly string[]): void {
  if (args.length >= least && args.length <= most) return
  const wrong = args.length < least ? 'too few arguments' : `unexpected argument "${args[most]}"`
  throw new Misuse(`${wrong}; usage: varve ${name} ${usage}`)
}

/** A whole number from a string. */
export function wholeNumber(name: string, text: string | undefined, least = 0): number | undefined {
  if (text === undefined) return undefined
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number) || number < least) {
    throw new Misuse(`${name} must be a whole number of at least ${least}; got "${text}"`)
  }
  return number
}
