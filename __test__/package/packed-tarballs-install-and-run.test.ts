/**
 * The package as a user gets it: packed, installed by npm from a registry on this machine, and started. Whatever keeps
 * the addon from loading is explained by an error whose command, followed to the letter, mends it.
 */
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { emptyProject, plainNpm, runIn, standIn } from '../../scripts/matrix/projects.mjs'
import { startRegistry } from '../../scripts/matrix/registry.mjs'
import { packPlatform, packRoot } from '../../scripts/release/pack.mjs'
import { hostTarget, readJson, targetOf } from '../../scripts/release/targets.mjs'
import { binOf, root } from '../../scripts/tools/run.mjs'

const host = hostTarget()
const onLinuxX64 = test.runIf(host.name === 'linux-x64-gnu')
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'varve-package-')))
const OPEN = `open('log').then(log => log.close()).then(() => console.log('opened'), e => console.log(e.code, e.message))`
let registry: { url: string; close(): void }
/** A project with a plain installation, which tests share and leave as it is. */
let plain: string

beforeAll(async () => {
  const others = ['linux-x64-musl', 'linux-arm64-gnu'].filter(name => name !== host.name).map(targetOf)
  registry = await startRegistry([
    packRoot({ to: scratch }),
    packPlatform(host, { addon: join(root, host.binary), to: scratch }),
    ...others.map(other => standIn(other, scratch)),
  ])
  plain = await project('plain')
})
afterAll(() => {
  registry.close()
  rmSync(scratch, { recursive: true, force: true })
})

/** A project in which npm installed varve. */
async function project(name: string, ...options: string[]): Promise<string> {
  const folder = emptyProject(scratch, name, registry.url)
  await runIn(folder, [...plainNpm.command, ...plainNpm.add, ...options])
  return folder
}

/** Opens a log, and says 'opened' or the error's code and message. */
async function opened(folder: string, ...flags: string[]): Promise<string> {
  const program = `const { open } = require('varve'); ${OPEN}`
  return (await runIn(folder, [process.execPath, ...flags, '--eval', program])).trim()
}

/** Runs the command that an error ends with. */
async function follow(folder: string, message: string): Promise<void> {
  const [, command] = /To mend it, run: npm (.*)$/.exec(message) ?? []
  expect(command, message).toBeDefined()
  await runIn(folder, [...plainNpm.command, '--no-audit', '--no-fund', ...command!.split(' ')])
}

test('plain npm install: append, kill, reopen, read, verify and workers', async () => {
  const output = await runIn(plain, [process.execPath, 'program.mjs', 'try', JSON.stringify([process.execPath])])
  expect(output).toMatch(/\d+ acknowledged, \d+ found after the kill, 2 x 100 in workers/)
})

test('the command line is installed with it', async () => {
  const { version } = readJson('package.json')
  const bin = join(plain, 'node_modules', '.bin', process.platform === 'win32' ? 'varve.cmd' : 'varve')
  expect(await runIn(plain, [bin, '--version'])).toContain(version)
})

test('the declarations that are packed are all that a user needs, with every check on', async () => {
  const program = `import { open, type Log, VarveError } from 'varve'
const log: Log<{ n: number }> = await open<{ n: number }>('log', { encoding: 'json' })
const { offset } = await log.append({ n: 1 })
export const all: number[] = [offset, log.head.size]
export const isVarves = (error: unknown) => error instanceof VarveError && error.code === 'VARVE_BUSY'
`
  writeFileSync(join(plain, 'user.mts'), program)
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')]
  const checks = [
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    'false',
    '--target',
    'es2023',
    '--lib',
    'es2023,esnext.disposable',
  ]
  const tsc = [process.execPath, binOf('typescript', 'tsc'), '--module', 'nodenext', ...types, ...checks, 'user.mts']
  expect(await runIn(plain, tsc)).toBe('')
})

test('left out by --omit=optional: the command brings it', async () => {
  const folder = await project('omitted', '--omit=optional')
  const message = await opened(folder)
  expect(message).toMatch(/^VARVE_UNSUPPORTED /)
  expect(message).toContain(`Cannot find module '${host.package}'`)
  await follow(folder, message)
  expect(await opened(folder)).toBe('opened')
})

onLinuxX64(
  'node_modules of a musl system on glibc, or of another processor: named, and the command mends it',
  async () => {
    for (const [name, option] of [
      ['linux-x64-musl', '--libc=musl'],
      ['linux-arm64-gnu', '--cpu=arm64'],
    ] as const) {
      const folder = await project(name, option)
      const message = await opened(folder)
      expect(message).toContain('linux x64, glibc, Node.js')
      expect(message).toContain(
        `@varve-log/varve-${name} is installed instead, so node_modules comes from another system`,
      )
      await follow(folder, message)
      expect(await opened(folder)).toBe('opened')
    }
  },
)

test('an addon that is there and does not load: the loader of the system has the word', async () => {
  const folder = join(scratch, 'broken')
  cpSync(plain, folder, { recursive: true })
  writeFileSync(join(folder, 'node_modules', host.package, host.binary), 'not an addon')
  expect(await opened(folder)).toMatch(new RegExp(`^VARVE_UNSUPPORTED .*${host.binary}: `))
})

test.each(['cjs', 'esm'] as const)(
  'bundled by esbuild (%s): refused alone, opened where varve is installed',
  async format => {
    const away = join(scratch, `away-${format}`)
    mkdirSync(away)
    writeFileSync(join(plain, 'main.mjs'), `import { open } from 'varve'\n${OPEN}`)
    // What esbuild itself needs for CommonJS in an ES module that uses Node's own modules.
    const js = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)`
    const options = { bundle: true, platform: 'node', format, ...(format === 'esm' && { banner: { js } }) } as const
    const bundle = (outfile: string, external: string[] = []) =>
      build({ ...options, entryPoints: [join(plain, 'main.mjs')], outfile, external })
    const extension = format === 'esm' ? 'mjs' : 'cjs'

    await bundle(join(away, `alone.${extension}`))
    const message = await runIn(away, [process.execPath, `alone.${extension}`])
    expect(message).toMatch(
      /^VARVE_UNSUPPORTED .*was bundled .*To mend it, leave varve out of it \(esbuild: --external:varve,/,
    )
    await bundle(join(plain, `outside.${extension}`), ['varve'])
    expect(await runIn(plain, [process.execPath, `outside.${extension}`])).toBe('opened\n')
  },
)

test("under Node's permissions: --allow-addons is asked for, and with the right to read the code it is enough", async () => {
  const permission = process.allowedNodeEnvironmentFlags.has('--permission')
    ? '--permission'
    : '--experimental-permission'
  const rights = [permission, `--allow-fs-read=${plain}`]
  expect(await opened(plain, ...rights)).toMatch(/To mend it, start node with --allow-addons$/)
  expect(await opened(plain, ...rights, '--allow-addons')).toBe('opened')
})

test.each(['18.20.8', '20.18.3', '21.7.3', '22.11.0'])('Node %s is too old, and is told so', async version => {
  const pretend = join(scratch, `node-${version}.cjs`)
  writeFileSync(
    pretend,
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`,
  )
  expect(await opened(plain, '--require', pretend)).toMatch(
    new RegExp(`Node\\.js ${version}: this runtime is too old. To mend it, use Node.js 20\\.19, 22\\.12 or newer$`),
  )
})
