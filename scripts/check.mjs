/** `npm run check`: format, lint, types and links, for both languages. Runs all of them, then fails if one did. */
import { spawnSync } from 'node:child_process'
import { ensurePrerequisites, fail } from './tools/prerequisites.mjs'
import { binOf, root } from './tools/run.mjs'

ensurePrerequisites()
const node = process.execPath
/** @type {[name: string, command: string, ...args: string[]][]} */
const checks = [
  ['Rust format', 'cargo', 'fmt', '--all', '--check'],
  ['Rust lint', 'cargo', 'clippy', '--workspace', '--all-targets', '--', '-D', 'warnings'],
  ['Rust lint, bugs planted', 'cargo', 'clippy', '-pvarve-core', '-Fplanted', '--all-targets', '--', '-D', 'warnings'],
  ['TypeScript format and lint', node, binOf('@biomejs/biome', 'biome'), 'check', '--error-on-warnings', '.'],
  ['types', node, binOf('typescript', 'tsc'), '--project', 'tsconfig.check.json'],
  ['links in the docs', node, 'scripts/links.mjs'],
]

const failed = checks.filter(([name, command, ...args]) => {
  console.log(`── ${name}`)
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status !== 0
})
if (failed.length > 0) fail(`check failed: ${failed.map(([name]) => name).join(', ')} (npm run format mends formats)`)
console.log(`check: ${checks.length} of ${checks.length} passed`)
