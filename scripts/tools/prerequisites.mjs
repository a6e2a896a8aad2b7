/**
 * What every script needs before it starts: a supported Node, cargo, and the development dependencies.
 * Uses nothing but Node itself, since it runs before anything is installed.
 */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { npm, root } from './run.mjs'

const manifest = readJson(join(root, 'package.json'))

/** Ends the process with one line that says what is missing, or returns with everything in place. */
export function ensurePrerequisites({ cargo = true } = {}) {
  const missing = missingNode(process.versions.node, manifest.engines.node) ?? (cargo ? missingCargo() : undefined)
  if (missing) fail(missing)
  if (!isInstalled(root)) npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root })
}

/** @param {string} line */
export function fail(line) {
  console.error(`varve: ${line}`)
  process.exit(1)
}

/**
 * Understands what package.json's `engines` uses: `^x.y.z` and `>=x.y.z`, joined by `||`.
 *
 * @param {string} version
 * @param {string} range
 */
function missingNode(version, range) {
  const [major, minor] = version.split('.').map(Number)
  const supported = range.split('||').some(part => {
    const [, operator, wantedMajor, wantedMinor] = /(\^|>=)(\d+)\.(\d+)/.exec(part) ?? []
    if (major === Number(wantedMajor)) return minor >= Number(wantedMinor)
    return operator === '>=' && major > Number(wantedMajor)
  })
  return supported ? undefined : `Node ${range} is needed, this is ${version}: see https://nodejs.org`
}

/** Rustup does not always reach PATH (editors, CI, a shell that was open before): then its usual place is added to it. */
function missingCargo() {
  const binary = process.platform === 'win32' ? 'cargo.exe' : 'cargo'
  const path = (process.env.PATH ?? '').split(delimiter)
  if (path.some(folder => folder && existsSync(join(folder, binary)))) return undefined
  const usual = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'bin')
  if (!existsSync(join(usual, binary))) return 'cargo (Rust) is needed to build the engine: see https://rustup.rs'
  process.env.PATH = [usual, ...path].join(delimiter)
  return undefined
}

/**
 * Whether node_modules holds what package-lock.json says. npm keeps a copy of what it installed, so versions are
 * compared, not times: a checkout changes times, and an `npm ci` takes 20 seconds.
 *
 * @param {string} folder
 */
export function isInstalled(folder) {
  const record = join(folder, 'node_modules', '.package-lock.json')
  if (!existsSync(record)) return false
  const installed = readJson(record).packages
  return Object.entries(readJson(join(folder, 'package-lock.json')).packages).every(
    ([path, wanted]) => path === '' || wanted.optional || installed[path]?.version === wanted.version,
  )
}

/** @param {string} file */
function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}
