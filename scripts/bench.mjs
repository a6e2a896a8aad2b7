/** `npm run bench`: builds varve, installs and builds what it is measured against (once, in bench/), and runs. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { build } from './tools/build.mjs'
import { ensurePrerequisites, isInstalled } from './tools/prerequisites.mjs'
import { npm, root, run } from './tools/run.mjs'

const bench = join(root, 'bench')

ensurePrerequisites()
if (!isInstalled(bench)) {
  console.log('varve: installing the peers in bench/, once (better-sqlite3 may compile for two minutes)')
  // better-sqlite3 is built by its install script; `npm run` hands the root's `ignore-scripts` down.
  npm(['ci', '--ignore-scripts=false', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: bench })
}
build()
buildNative()
run(process.execPath, [join(bench, 'run.mjs'), ...process.argv.slice(2)])

/** Without it the bench runs all the same, and names the sides that it leaves out. */
function buildNative() {
  const folder = [
    '--manifest-path',
    join(bench, 'native/Cargo.toml'),
    '--target-dir',
    join(root, 'target/bench-native'),
  ]
  const { status } = spawnSync('cargo', ['build', '--release', '--locked', '--quiet', ...folder], { stdio: 'inherit' })
  if (status !== 0) console.log('varve: bench/native does not build; its sides are left out')
}
