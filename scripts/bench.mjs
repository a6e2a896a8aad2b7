/** `npm run bench`: builds varve, installs what it is measured against (once, in bench/), and runs. */
import { join } from 'node:path'
import { build } from './tools/build.mjs'
import { ensurePrerequisites, isInstalled } from './tools/prerequisites.mjs'
import { npm, root, run } from './tools/run.mjs'

const bench = join(root, 'bench')

ensurePrerequisites()
if (!isInstalled(bench)) {
  console.log('varve: installing the peers in bench/, once (better-sqlite3 may compile for two minutes)')
  npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: bench })
}
build()
run(process.execPath, [join(bench, 'run.mjs'), ...process.argv.slice(2)])
