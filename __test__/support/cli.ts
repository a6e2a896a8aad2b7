/** The built CLI as a shell runs it: arguments, streams and exit code, and nothing of its insides. */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** The built CLI. */
export const VARVE = join(__dirname, '..', '..', 'dist', 'bin', 'varve.js')

export interface Run {
  code: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  input?: string | Uint8Array
  env?: Record<string, string>
  cwd?: string
}

/** Starts the CLI as a process of its own, without terminal; secrets of the surroundings are not passed on. */
export function start(args: readonly string[], { env, cwd }: RunOptions = {}): ChildProcess {
  const { VARVE_SECRET: _, VARVE_SECRET_FILE: __, ...rest } = process.env
  const child = spawn(process.execPath, [VARVE, ...args], { cwd, env: { ...rest, ...env } })
  child.stdin!.on('error', () => {}) // it may have ended before it read all
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** Runs it to its end. */
export function varve(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const child = start(args, options)
  child.stdin!.end(options.input ?? '')
  return ended(child)
}

/** What it wrote and its exit code as a shell tells it, once it has ended: 128 + the number of a signal that ended it. */
export function ended(child: ChildProcess): Promise<Run> {
  let [stdout, stderr] = ['', '']
  child.stdout!.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr!.setEncoding('utf8').on('data', text => (stderr += text))
  return new Promise(resolve => {
    child.on('close', (code, signal) => resolve({ code: code ?? 128 + constants.signals[signal!], stdout, stderr }))
  })
}

/** Lines of output as JSON. */
export function jsonLines(text: string): any[] {
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))
}
