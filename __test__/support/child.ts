/** Programs in processes of their own, which end with the test that started them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  lines: string[]
  stderr: string
}

/** A program of `fixtures/` (or at an absolute path) in a process of its own; it uses the built package (`dist/`), as users do. */
export class Child {
  readonly process: ChildProcess
  readonly ended: Promise<Ended>
  readonly #lines: string[] = []
  readonly #waiting: (() => void)[] = []
  #read = 0
  #over = false

  constructor(program: string, args: readonly string[], prefix: readonly string[] = []) {
    const path = resolve(__dirname, '..', 'fixtures', program)
    const [command, ...rest] = [...prefix, process.execPath, path, ...args] as [string, ...string[]]
    this.process = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.process.stdin!.on('error', () => {}) // it may be gone
    let stderr = ''
    this.process.stderr!.setEncoding('utf8').on('data', text => {
      stderr += text
    })
    createInterface({ input: this.process.stdout! }).on('line', line => {
      this.#lines.push(line)
      this.#wake()
    })
    this.ended = new Promise(settle => {
      this.process.on('close', (code, signal) => {
        this.#over = true
        this.#wake()
        settle({ code, signal, lines: this.#lines, stderr })
      })
    })
    onTestFinished(async () => {
      this.process.kill('SIGKILL')
      await this.ended
    })
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    while (this.#read >= this.#lines.length) {
      if (this.#over) throw new Error(`the child ended early: ${JSON.stringify(await this.ended)}`)
      await new Promise<void>(wake => this.#waiting.push(wake))
    }
    return this.#lines[this.#read++]!
  }

  /** Gives it a line to read. */
  say(line: string): void {
    this.process.stdin!.write(`${line}\n`)
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}
