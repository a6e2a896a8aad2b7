#!/usr/bin/env node
/** `varve`: finds the command, runs it, and turns whatever happens into output and an exit code. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { append } from './commands/append.js'
import { bench } from './commands/bench.js'
import { cat } from './commands/cat.js'
import { exportCommand } from './commands/export.js'
import { info } from './commands/info.js'
import { recover } from './commands/recover.js'
import { verifyCommand } from './commands/verify.js'
import { type Command, read } from './support/command.js'
import { EXIT, Misuse, quoted, verdict } from './support/failure.js'
import { commandHelp, mainHelp } from './support/help.js'
import { Screen } from './support/screen.js'
import { ClosedPipe, die, Interrupted, Stop } from './support/stop.js'
import { closest } from './support/words.js'

const COMMANDS: readonly Command[] = [append, bench, cat, exportCommand, info, recover, verifyCommand]

async function main(line: readonly string[]): Promise<number> {
  const stop = new Stop()
  const screen = new Screen(stop)
  const wantsJson = line.includes('--json')
  const [name, ...rest] = line
  let dir = 'DIR'
  try {
    if (name === '--version' || name === '-V' || name === 'version') return await say(screen, version())
    if (name === undefined) {
      screen.note(mainHelp(COMMANDS, screen.paintError.bind(screen)))
      return EXIT.misuse
    }
    const wanted = name === 'help' ? rest[0] : name
    if (wanted === undefined || wanted === '--help' || wanted === '-h') {
      return await say(screen, mainHelp(COMMANDS, screen.paint.bind(screen)))
    }
    const command = COMMANDS.find(command => command.name === wanted)
    if (command === undefined) throw unknown(wanted)
    const { args, given } = name === 'help' ? { args: [], given: { help: true as const } } : read(command, rest)
    if (given.help) return await say(screen, commandHelp(command, screen.paint.bind(screen)))
    dir = args[0] ?? dir
    stop.listen()
    const exit = await command.run({ args, given, screen, stop })
    await screen.finish()
    if (screen.isWriting && stop.reason instanceof Interrupted) die(stop.reason.signal)
    return exit
  } catch (error) {
    const reason = stop.reason
    if (reason instanceof ClosedPipe) return EXIT.done
    if (error instanceof Interrupted) {
      // Whoever does not read must not keep us; what the command had to close is closed.
      if (screen.isWriting) die(error.signal)
      return error.exit
    }
    const { code, message, exit, facts } = verdict(error, dir)
    if (process.env.VARVE_DEBUG) console.error(error)
    await screen.finish().catch(() => {})
    if (wantsJson) screen.note(JSON.stringify({ error: { code, message, ...facts } }))
    else screen.note(`${screen.paintError('red', 'varve')}: ${message.replace(/\s*\n\s*/g, ' ')} [${code}]`)
    return exit
  }
}

async function say(screen: Screen, text: string): Promise<number> {
  screen.line(text)
  await screen.finish()
  return EXIT.done
}

function unknown(name: string): Misuse {
  const names = COMMANDS.map(command => command.name)
  const near = name.startsWith('-') ? undefined : closest(name, names)
  const what = name.startsWith('-') ? 'unknown option' : 'unknown command'
  const hint = near === undefined ? `known are ${names.join(', ')}; see: varve --help` : `did you mean varve ${near}?`
  return new Misuse(`${what} ${quoted(name)}; ${hint}`)
}

function version(): string {
  return JSON.parse(readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8')).version
}

main(process.argv.slice(2)).then(code => {
  // Not `process.exit`, which would cut off output that is on its way.
  process.exitCode = code
})
