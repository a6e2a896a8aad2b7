/**
 * Installs varve from a registry into an empty folder, as a user would, with each package manager.
 *
 * The home folder is a temporary one: no cache, lock or setting of this machine takes part.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packages, packPlatform } from '../release/pack.mjs'
import { targets } from '../release/targets.mjs'
import { npmCommand, root } from '../tools/run.mjs'

export const program = join(root, 'scripts', 'matrix', 'program.mjs')

/** @typedef {import('./registry.mjs').Published} Published */

/**
 * @typedef {object} Manager
 * @property {string} name
 * @property {string[]} command what starts it
 * @property {string[]} add the arguments that install varve
 * @property {string[]} [node] arguments for Node to run a program in its projects
 */

/** @type {Manager} */
export const plainNpm = { name: 'npm', command: npmCommand([]), add: ['install', '--no-audit', '--no-fund', 'varve'] }

/**
 * An empty project that installs from `registry`; gives back its folder.
 *
 * @param {string} parent an empty folder
 * @param {string} name
 * @param {string} registry
 */
export function emptyProject(parent, name, registry) {
  const folder = join(parent, name)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'project', private: true, type: 'module' }))
  writeFileSync(join(folder, '.npmrc'), `registry=${registry}\n`)
  const yarn = { npmRegistryServer: registry, unsafeHttpWhitelist: ['127.0.0.1'], enableTelemetry: false }
  writeFileSync(join(folder, '.yarnrc.yml'), JSON.stringify(yarn))
  cpSync(program, join(folder, 'program.mjs'))
  return folder
}

/**
 * @param {string} folder of a project
 * @param {string[]} command
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {Promise<string>} what it printed; rejects with all that it said if it fails
 */
export function runIn(folder, command, environment = {}) {
  // What `npm run` says to its scripts would otherwise be read as settings.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|pnpm_|yarn_)/i.test(name))
  const home = join(folder, '..', 'home')
  mkdirSync(home, { recursive: true })
  const env = { ...Object.fromEntries(inherited), HOME: home, CI: 'true', NO_COLOR: '1', ...environment }
  const [program, ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', text => (output += text))
    child.stderr.setEncoding('utf8').on('data', text => (errors += text))
    child.on('error', reject)
    child.on('close', status => {
      if (status === 0) resolve(output)
      else reject(new Error(`${command.join(' ')} ended with ${status}\n${output}${errors}`))
    })
  })
}

/**
 * What `release.mjs pack` made; for the systems that it did not build for, packages with a stand-in that does not load.
 * Some package managers ask for all of them before they choose.
 *
 * @param {string} scratch an empty folder
 * @returns {Published[]}
 */
export function packedTarballs(scratch) {
  /** @type {Published[]} */
  const list = JSON.parse(readFileSync(join(packages, 'packages.json'), 'utf8'))
  const made = list.map(({ manifest, file }) => ({ manifest, file: join(packages, file) }))
  const missing = targets.filter(target => !made.some(({ manifest }) => manifest.name === target.package))
  return [...made, ...missing.map(target => standIn(target, scratch))]
}

/**
 * @param {import('../release/targets.mjs').Target} target
 * @param {string} scratch
 */
export function standIn(target, scratch) {
  const addon = join(scratch, target.binary)
  writeFileSync(addon, `stands for the addon for ${target.name}`)
  return packPlatform(target, { addon, to: scratch })
}
