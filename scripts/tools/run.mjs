/** Runs commands of the repository: output passes through, the first failure ends the script with the same code. */
import { spawn, spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Not import.meta.dirname: a Node that is too old for it still has to reach the line that says so.
export const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)

/**
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 */
export function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (error) console.error(`varve: cannot run ${command}: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}

/**
 * Like `run`, but hands back the standard output (which is shown as it comes) and the exit code.
 *
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<{ status: number, output: string }>}
 */
export function runAndRead(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['inherit', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      output += text
      process.stdout.write(text)
    })
    child.on('error', reject)
    child.on('close', status => resolve({ status: status ?? 1, output }))
  })
}

/**
 * The program that a development dependency brings, as arguments for `node`: no shell, no `npx`, the same on Windows.
 *
 * @param {string} name of the package
 * @param {string} [bin] where it is not the package's own name
 * @returns {string}
 */
export function binOf(name, bin = name) {
  const file = join(root, 'node_modules', name, 'package.json')
  const declared = require(file).bin
  return join(dirname(file), typeof declared === 'string' ? declared : declared[bin])
}

/**
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 */
export function npm(args, options) {
  const [command, ...rest] = npmCommand(args)
  run(command, rest, { shell: process.platform === 'win32' && command === 'npm', ...options })
}

/**
 * How npm is started: under `npm run` the npm that runs us; alone, the one in PATH (on Windows a .cmd, which needs a shell).
 *
 * @param {string[]} args
 * @returns {[command: string, ...args: string[]]}
 */
export function npmCommand(args) {
  const script = process.env.npm_execpath
  return script?.endsWith('.js') ? [process.execPath, script, ...args] : ['npm', ...args]
}
