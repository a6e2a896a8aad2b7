/** `npm run check`: format, lint, types, links and dependencies, for both languages. Runs all, then fails if one did. */
import { spawnSync } from 'node:child_process'
import { ensurePrerequisites, fail } from './tools/prerequisites.mjs'
import { binOf, root } from './tools/run.mjs'
import { checkCrates, checkNpm } from './tools/supply.mjs'

ensurePrerequisites()
const node = process.execPath
/** @type {[name: string, check: () => boolean | string][]} */
const checks = [
  ['Rust format', () => runs('cargo', 'fmt', '--all', '--check')],
  ['Rust lint', () => runs('cargo', 'clippy', '--workspace', '--all-targets', '--', '-D', 'warnings')],
  [
    'Rust lint, bugs planted',
    () => runs('cargo', 'clippy', '-pvarve-core', '-Fplanted', '--all-targets', '--', '-D', 'warnings'),
  ],
  [
    'TypeScript format and lint',
    () => runs(node, binOf('@biomejs/biome', 'biome'), 'check', '--error-on-warnings', '.'),
  ],
  ['types', () => runs(node, binOf('typescript', 'tsc'), '--project', 'tsconfig.check.json')],
  ['API documentation', () => runs(node, binOf('typedoc'), '--emit', 'none', '--logLevel', 'Warn')],
  ['links in the docs', () => runs(node, 'scripts/links.mjs')],
  ['workflows', () => runs(node, 'scripts/workflows.mjs')],
  ['crates: licences, sources, advisories', checkCrates],
  ['npm audit', checkNpm],
]

const failed = []
let skipped = 0
for (const [name, check] of checks) {
  console.log(`── ${name}`)
  const outcome = check()
  if (outcome === false) failed.push(name)
  if (typeof outcome !== 'string') continue
  console.log(`skipped: ${outcome}`)
  skipped++
}
if (failed.length > 0) fail(`check failed: ${failed.join(', ')} (npm run format mends formats)`)
const note = skipped > 0 ? `, ${skipped} skipped for want of a tool or a service` : ''
console.log(`check: ${checks.length - skipped} of ${checks.length} passed${note}`)

/**
 * @param {string} command
 * @param {string[]} args
 */
function runs(command, ...args) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0
}
