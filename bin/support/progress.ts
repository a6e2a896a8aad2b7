/** A progress line on standard error, drawn in place: on a terminal only, and gone when the work is over. */
import type { Screen } from './screen.js'
import { clock } from './words.js'

/** What is shown now. */
export interface State {
  /** Part that is done, 0 to 1; unknown without it. */
  readonly part?: number | undefined
  /** Facts, most important first: what does not fit is left out. */
  readonly facts: readonly string[]
}

const EVERY_MS = 100
const BAR = 24

export class Progress {
  readonly #screen: Screen
  readonly #name: string
  readonly #state: () => State
  readonly #timer: NodeJS.Timeout | undefined
  readonly #started = performance.now()

  constructor(screen: Screen, quiet: boolean, name: string, state: () => State) {
    this.#screen = screen
    this.#name = name
    this.#state = state
    if (!quiet && screen.isWatched) this.#timer = setInterval(() => this.#draw(), EVERY_MS).unref()
  }

  /** Takes the line away. */
  end(): void {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    process.stderr.write('\r\x1b[K')
  }

  #draw(): void {
    const { part, facts } = this.#state()
    // One column stays free: a full line would wrap.
    const columns = (process.stderr.columns ?? 80) - 1
    let line = this.#name
    const pieces = [...facts]
    if (part !== undefined) {
      const done = Math.min(1, Math.max(0, part))
      pieces.unshift(`${String(Math.floor(done * 100)).padStart(3)} %`)
      const ms = performance.now() - this.#started
      if (done > 0 && ms > 500) pieces.splice(1, 0, `ETA ${clock((ms * (1 - done)) / done)}`)
    }
    let width = line.length
    const bar = part !== undefined && columns >= 60 ? BAR + 2 : 0
    width += bar
    const shown: string[] = []
    for (const piece of pieces) {
      if (width + 2 + piece.length > columns) break
      width += 2 + piece.length
      shown.push(piece)
    }
    if (bar > 0) {
      const full = Math.round(Math.min(1, Math.max(0, part!)) * BAR)
      const paint = this.#screen.paintError.bind(this.#screen)
      line += `  ${paint('green', '━'.repeat(full))}${paint('dim', '─'.repeat(BAR - full))}`
    }
    process.stderr.write(`\r${[line, ...shown].join('  ')}\x1b[K`)
  }
}
