/** How the examples print: rows, numbers, and a progress bar. */
import { styleText } from 'node:util'

const terminal = process.stdout.isTTY === true
const styled = terminal && !process.env.NO_COLOR

/** @param {string} text */
export const bold = text => (styled ? styleText('bold', text) : text)
/** @param {string} text */
export const red = text => (styled ? styleText('red', text) : text)
/** @param {number} number */
export const count = number => Math.round(number).toLocaleString('en-US')
/** @param {number} number */
export const bytes = number => `${(number / 1e6).toFixed(1)} MB`

/**
 * @param {string} name
 * @param {string} text
 */
export function row(name, text) {
  console.log(`  ${name.padEnd(12)} ${text}`.trimEnd())
}

/**
 * On a terminal one line that is redrawn; elsewhere (CI, a file) a line at each quarter.
 *
 * @param {string} name
 * @param {number} total
 */
export function progressBar(name, total) {
  const width = 30
  let shown = 0
  /** @param {number} done */
  const to = done => {
    const step = Math.floor((done / total) * (terminal ? 100 : 4))
    if (step <= shown) return
    shown = step
    const filled = Math.round((done / total) * width)
    const bar = '█'.repeat(filled) + '░'.repeat(width - filled)
    const line = `  ${name.padEnd(12)} ${bar} ${String(Math.floor((done / total) * 100)).padStart(3)} %`
    if (terminal) process.stdout.write(`\r${line}${done === total ? '\n' : ''}`)
    else console.log(line)
  }
  return { to, finish: () => to(total) }
}
