/**
 * Licences, sources and known vulnerabilities of what varve is built from.
 *
 * Each check gives `true` (passed), `false` (failed) or a line that says why it could not run: a tool that is not
 * installed, or a service out of reach, must not stop a contributor's build.
 */
import { spawnSync } from 'node:child_process'
import { npmCommand, root } from './run.mjs'

/**
 * The rules of deny.toml.
 *
 * @returns {boolean | string}
 */
export function checkCrates() {
  if (spawnSync('cargo', ['deny', '--version'], { cwd: root, stdio: 'ignore' }).status !== 0)
    return 'cargo-deny is not installed: cargo install --locked cargo-deny'
  const rules = spawnSync('cargo', ['deny', 'check', 'licenses', 'bans', 'sources'], { cwd: root, stdio: 'inherit' })
  if (rules.status !== 0) return false
  const { status, output } = read('cargo', ['deny', 'check', 'advisories'])
  if (output.includes('failed to fetch advisory database'))
    return 'the advisory database (github.com) cannot be reached; licences, bans and sources passed'
  if (status !== 0) console.error(output)
  return status === 0
}

/**
 * Known vulnerabilities of the development dependencies: there are no others.
 *
 * @returns {boolean | string}
 */
export function checkNpm() {
  const [command, ...args] = npmCommand(['audit', '--fetch-retries=0', '--fetch-timeout=20000'])
  const { status, output } = read(command, args)
  if (status === 0) return true
  // Only a report speaks of vulnerabilities; everything else is the registry's failure.
  if (!/vulnerabilit/.test(output)) return 'the registry does not answer npm audit'
  console.error(output)
  return false
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function read(command, args) {
  const shell = process.platform === 'win32' && command === 'npm'
  // A minute is plenty where the service answers.
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8', timeout: 60_000, shell })
  return { status, output: `${stdout ?? ''}${stderr ?? ''}` }
}
