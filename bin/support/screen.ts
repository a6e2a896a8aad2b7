/**
 * Standard output and standard error. Output goes out in large pieces, waits for whoever reads it, and stops the command
 * when nobody does; colours and grouped numbers only where a person looks.
 */
import { write } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type { WriteStream } from 'node:tty'
import { promisify, styleText } from 'node:util'
import { ClosedPipe, type Stop } from './stop.js'

const PIECE_BYTES = 64 * 1024
const STDOUT = 1
/** How long to wait where a pipe that does not block is full, milliseconds. */
const FULL_MS = 5
/** How long an interrupted command waits for its reader, milliseconds. */
const LAST_WAIT_MS = 1_000

const writeFd = promisify(write)

type Style = Parameters<typeof styleText>[0]

export class Screen {
  /** Standard output is a terminal. */
  readonly isTerminal = process.stdout.isTTY === true
  /** Standard error is one. */
  readonly isWatched = process.stderr.isTTY === true
  readonly #stop: Stop
  readonly #colors = hasColors(process.stdout)
  readonly #errorColors = hasColors(process.stderr)
  #writes = 0
  #last: Promise<void> = Promise.resolve()
  #piece = Buffer.allocUnsafe(PIECE_BYTES)
  #length = 0

  constructor(stop: Stop) {
    this.#stop = stop
    process.stdout.on('error', error => this.#failed(error))
    process.stderr.on('error', () => {}) // nobody reads what we say: no reason to stop
  }

  /** Columns of the terminal that shows standard output. */
  get columns(): number {
    return process.stdout.columns ?? 80
  }

  /** Output was handed over and not taken yet. */
  get isWriting(): boolean {
    return this.#writes > 0
  }

  paint(style: Style, text: string): string {
    return this.#colors ? styleText(style, text, { validateStream: false }) : text
  }

  paintError(style: Style, text: string): string {
    return this.#errorColors ? styleText(style, text, { validateStream: false }) : text
  }

  /** Adds text to the output; true when it is time to await `flush`. */
  text(text: string): boolean {
    return this.bytes(Buffer.from(text))
  }

  line(text = ''): boolean {
    return this.text(`${text}\n`)
  }

  /** Adds bytes to the output; they are copied. */
  bytes(bytes: Uint8Array): boolean {
    const end = this.#length + bytes.length
    if (end > this.#piece.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, 2 * this.#piece.length))
      grown.set(this.#piece.subarray(0, this.#length))
      this.#piece = grown
    }
    this.#piece.set(bytes, this.#length)
    this.#length = end
    return end >= PIECE_BYTES
  }

  /** Hands the output over, and waits until the reader has taken it; gives up when the command is to stop. */
  async flush(): Promise<void> {
    if (this.#length > 0) await this.#stop.race(this.#handOver())
  }

  /** The last flush. After a signal it waits for a slow reader, though not for ever. */
  async finish(): Promise<void> {
    if (this.#stop.reason instanceof ClosedPipe) throw this.#stop.reason
    if (this.#length === 0) return
    const done = this.#handOver()
    if (this.#stop.reason === undefined) return await done
    await Promise.race([done, setTimeout(LAST_WAIT_MS, undefined, { ref: false })])
  }

  async #handOver(): Promise<void> {
    const piece = this.#piece.subarray(0, this.#length)
    this.#piece = Buffer.allocUnsafe(PIECE_BYTES)
    this.#length = 0
    // One after another: two writes at once could change places.
    const before = this.#last
    const write = before.then(() => this.#write(piece))
    this.#last = write.catch(() => {})
    this.#writes++
    try {
      await write
    } finally {
      this.#writes--
    }
  }

  async #write(piece: Uint8Array): Promise<void> {
    try {
      if (this.isTerminal) return await new Promise(resolve => process.stdout.write(piece, () => resolve()))
      // Node writes to a pipe from its main thread, which would then hear no signal until somebody reads.
      for (let at = 0; at < piece.length; ) at += await writeSome(piece.subarray(at))
    } catch (error) {
      throw this.#failed(error as Error)
    }
  }

  json(value: unknown): boolean {
    return this.line(JSON.stringify(value))
  }

  /** A line on standard error. */
  note(text: string): void {
    process.stderr.write(`${text}\n`)
  }

  #failed(error: Error): Error {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return error
    const reason = new ClosedPipe()
    this.#stop.now(reason)
    return reason
  }
}

/** True on a terminal that has colours; Node looks at NO_COLOR, FORCE_COLOR and TERM. */
function hasColors(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && (stream as WriteStream).hasColors()
}

/** Writes to standard output off the main thread; gives how many bytes were taken. */
async function writeSome(bytes: Uint8Array): Promise<number> {
  try {
    return (await writeFd(STDOUT, bytes)).bytesWritten
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    await setTimeout(FULL_MS)
    return 0
  }
}
