/**
 * Builds the addon for one target, and inspects what came out: what it asks of the system, and what it shows to others.
 *
 * A shared library that exports more than its one entry can be bound to another library's functions of the same name,
 * and one that asks for a newer glibc does not load where users are.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../tools/run.mjs'
import { zigEnvironment } from './zig.mjs'

/** Debian 10, Ubuntu 20.04, RHEL 8 and everything newer. */
const GLIBC_FLOOR = '2.28'
const ENTRY = 'napi_register_module_v1'
const BYTES_MAX = 1_500_000

/** Where built addons wait for `artifacts`, as in the release workflow. */
export const artifacts = join(root, 'target', 'artifacts')

/**
 * @param {import('./targets.mjs').Target} target
 * @returns {string} the file
 */
export function buildAddonFor({ triple, name, binary }) {
  const linux = name.startsWith('linux-')
  const wanted = name.endsWith('-gnu') ? `${triple}.${GLIBC_FLOOR}` : triple
  const args = [linux ? 'zigbuild' : 'build', '--release', '--locked', '--package', 'varve-node', '--target', wanted]
  const env = linux ? zigEnvironment() : { ...process.env }
  // Static by default on musl, and a static library cannot be loaded.
  if (name.endsWith('-musl')) env.RUSTFLAGS = `${env.RUSTFLAGS ?? ''} -C target-feature=-crt-static`
  read('cargo', args, env)
  const made = { linux: 'libvarve_node.so', darwin: 'libvarve_node.dylib', win32: 'varve_node.dll' }[name.split('-')[0]]
  mkdirSync(artifacts, { recursive: true })
  const file = join(artifacts, binary)
  copyFileSync(join(root, 'target', triple, 'release', made ?? ''), file)
  return file
}

/**
 * What is right about an addon in one line; throws what is not.
 *
 * @param {string} file
 * @param {import('./targets.mjs').Target} target
 */
export function inspectAddon(file, { name }) {
  const { size } = statSync(file)
  if (size > BYTES_MAX) throw new Error(`${file} has ${size} bytes, at most ${BYTES_MAX} are wanted`)
  const facts = [`${(size / 1e6).toFixed(2)} MB`]
  const exported = name.startsWith('linux-') ? inspectElf(file, name, facts) : exportsOf(file, name)
  if (exported.join() !== ENTRY) throw new Error(`${file} exports ${exported.join(', ')}, not only ${ENTRY}`)
  return [...facts, `exports only ${ENTRY}`].join(', ')
}

/**
 * @param {string} file
 * @param {string} name
 * @param {string[]} facts
 */
function inspectElf(file, name, facts) {
  const symbols = read('objdump', ['-T', file]).split('\n')
  if (!read('objdump', ['-t', file]).includes('no symbols')) throw new Error(`${file} is not stripped`)
  const versions = [...new Set(symbols.flatMap(line => /\(?GLIBC_([\d.]+)\)?/.exec(line)?.[1] ?? []))]
  const floor = versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  if (name.endsWith('-musl')) {
    if (floor !== undefined) throw new Error(`${file} asks for glibc ${floor}`)
  } else {
    const over = floor === undefined || floor.localeCompare(GLIBC_FLOOR, 'en', { numeric: true }) > 0
    if (over) throw new Error(`${file} asks for glibc ${floor}, more than ${GLIBC_FLOOR}`)
    facts.push(`glibc ${floor}`)
  }
  return symbols
    .filter(line => /\sg\s/.test(line) && !line.includes('*UND*'))
    .map(line => line.trim().split(/\s+/).at(-1))
}

/**
 * @param {string} file
 * @param {string} name
 */
function exportsOf(file, name) {
  if (name.startsWith('darwin-')) {
    const lines = read('nm', ['-gU', file]).trim().split('\n')
    return lines.flatMap(line => / T _(\S+)$/.exec(line)?.[1] ?? [])
  }
  return [...read('llvm-readobj', ['--coff-exports', file]).matchAll(/^\s*Name: (\S+)$/gm)].map(([, symbol]) => symbol)
}

/**
 * Runs a command, and shows what it said only if it fails.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
export function read(command, args, env = process.env) {
  const options = { cwd: root, encoding: /** @type {const} */ ('utf8'), env, maxBuffer: 2 ** 28 }
  const { status, error, stdout, stderr } = spawnSync(command, args, options)
  if (error) throw new Error(`${command} is needed: ${error.message}`)
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed\n${stdout}${stderr}`)
  return stdout
}
