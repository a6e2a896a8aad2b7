/**
 * cargo-zigbuild and zig, in versions of their own under target/: they link against an old glibc on a new system, and for
 * other processors. Nothing needs to be installed by hand except Python.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { root } from '../tools/run.mjs'

const PINNED = ['cargo-zigbuild==0.24.1', 'ziglang==0.17.1']
const folder = join(root, 'target', 'tools', PINNED.join('+'))

/**
 * The environment in which `cargo zigbuild` works, or an error that says in one line what is missing.
 *
 * @returns {NodeJS.ProcessEnv}
 */
export function zigEnvironment() {
  if (!existsSync(folder)) install()
  return { ...process.env, PATH: [join(folder, 'bin'), process.env.PATH].join(delimiter) }
}

function install() {
  // Under another name until it is complete: a download that was broken off must not be taken for one that was not.
  const unfinished = `${folder}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  attempt('python3', ['-m', 'venv', unfinished], 'Python 3 with venv is needed (apt-get install python3-venv)')
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PINNED]
  attempt(join(unfinished, 'bin', 'python3'), pip, `pip cannot install ${PINNED.join(' and ')}`)
  renameSync(unfinished, folder)
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} otherwise
 */
function attempt(command, args, otherwise) {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${otherwise}: ${(error?.message ?? stderr).trim().split('\n').at(-1)}`)
}
