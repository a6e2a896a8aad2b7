/** Help texts, made from what the commands say of themselves. */
import { COMMON, type Command, type Option } from './command.js'

type Paint = (style: 'bold' | 'dim', text: string) => string

const EXITS = '0 done, 1 the data is bad, 2 the call is wrong, 3 the system prevented it, 130 interrupted'

export function mainHelp(commands: readonly Command[], paint: Paint): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  return [
    'varve: a durable, tamper-evident, append-only log',
    '',
    `${paint('bold', 'usage')}  varve COMMAND DIR …        varve COMMAND --help tells more, with examples`,
    '',
    ...commands.map(({ name, summary }) => `  ${paint('bold', name.padEnd(width))}  ${summary}`),
    '',
    `  ${'--version'.padEnd(width)}  the version`,
    '',
    wrapped('exit codes  ', EXITS),
  ].join('\n')
}

export function commandHelp(command: Command, paint: Paint): string {
  const options = Object.entries<Option>({ ...command.options, ...COMMON })
  const rows = options.map(([name, option]) => [left(name, option), option.help] as const)
  const width = Math.max(...rows.map(([option]) => option.length))
  return [
    `varve ${command.name}: ${command.summary}`,
    '',
    `${paint('bold', 'usage')}  varve ${command.name} ${command.usage}`,
    '',
    ...rows.map(([option, help]) => wrapped(`  ${option.padEnd(width)}  `, help)),
    ...(command.notes === undefined ? [] : ['', ...command.notes.map(note => wrapped('', note))]),
    '',
    paint('bold', 'examples'),
    ...command.examples.flatMap(([line, does]) => [`  ${line}`, paint('dim', `      ${does}`)]),
    '',
    wrapped('exit codes  ', EXITS),
  ].join('\n')
}

function left(name: string, { short, value, choices }: Option): string {
  const what = choices?.join('|') ?? value
  return `${short === undefined ? '   ' : `-${short},`} --${name}${what === undefined ? '' : ` ${what}`}`
}

/** Breaks `text` behind `start` so that it fits 80 columns. */
function wrapped(start: string, text: string): string {
  const lines: string[] = []
  let line = start
  for (const word of text.split(' ')) {
    if (line.length + word.length > 79 && line.trim() !== '') {
      lines.push(line.trimEnd())
      line = ' '.repeat(start.length)
    }
    line += `${word} `
  }
  return [...lines, line.trimEnd()].join('\n')
}
