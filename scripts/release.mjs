/**
 * `npm run release:dry`: every step of a release that needs no other machine, one line each.
 * .github/workflows/release.yml goes through the same steps, on as many machines as there are systems:
 *
 *   node scripts/release.mjs versions          what must agree, agrees
 *   node scripts/release.mjs build TARGET      target/artifacts/varve.TARGET.node, inspected
 *   node scripts/release.mjs artifacts FOLDER  puts addons where npm/ wants them, inspected
 *   node scripts/release.mjs pack              all tarballs, checked; fails if a target's addon is not there
 *   node scripts/release.mjs publish           uploads them: the platforms first, the root last
 *   node scripts/release.mjs set-version X     before all that: writes X wherever a version stands
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { artifacts, buildAddonFor, inspectAddon } from './release/addon.mjs'
import { contradictions, setVersion } from './release/manifests.mjs'
import { checkTypes, lint, packages, packPlatform, packRoot } from './release/pack.mjs'
import { hostTarget, manifest, targetOf, targets } from './release/targets.mjs'
import { buildFacade } from './tools/build.mjs'
import { ensurePrerequisites, fail } from './tools/prerequisites.mjs'
import { npmCommand, root } from './tools/run.mjs'

const [command, argument] = process.argv.slice(2)
/** @type {Record<string, () => unknown>} */
const commands = { dry, versions, build, artifacts: place, pack, publish, 'set-version': () => setVersion(argument) }
if (commands[command] === undefined) fail(`release: one of ${Object.keys(commands).join(', ')} is wanted`)
// Publishing installs nothing: where npm believes this job, no other package has a say.
if (command !== 'publish') ensurePrerequisites({ cargo: ['dry', 'build', 'pack'].includes(command) })
await commands[command]()

async function dry() {
  const target = hostTarget()
  const started = Date.now()
  await versions()
  await build(target)
  await place(artifacts, [target])
  await pack([target])
  console.log(`release:dry passed in ${Math.round((Date.now() - started) / 1000)} s; tarballs are in ${packages}`)
}

async function versions() {
  await step('versions', () => {
    const problems = contradictions()
    if (problems.length > 0) throw new Error(problems.join('\n'))
    return `${manifest.version} in all ${targets.length + 1} packages, Cargo.toml and CHANGELOG.md`
  })
}

async function build(target = argument === undefined ? hostTarget() : targetOf(argument)) {
  await step(`build ${target.name}`, () => inspectAddon(buildAddonFor(target), target))
}

async function place(folder = resolve(argument ?? artifacts), wanted = targets) {
  await step('artifacts', () => {
    const there = readdirSync(folder)
    const missing = wanted.filter(({ binary }) => !there.includes(binary))
    if (missing.length > 0) throw new Error(`${folder} has no ${missing.map(({ binary }) => binary).join(', ')}`)
    for (const target of wanted) copyFileSync(join(folder, target.binary), join(root, target.folder, target.binary))
    return wanted.map(({ folder, binary }) => `${folder}/${binary}`).join(', ')
  })
}

async function pack(wanted = targets) {
  await step('build dist/', () => buildFacade() ?? 'by tsc')
  /** @type {import('./release/pack.mjs').Packed[]} */
  const tarballs = []
  for (const target of wanted) {
    await step(`pack ${target.name}`, () => sizes(tarballs[tarballs.push(packPlatform(target)) - 1]))
  }
  const varve = await step('pack varve', packRoot, sizes)
  await step('publint', () => lint(varve))
  await step('types', () => checkTypes(varve))
  const list = [...tarballs, varve].map(({ manifest, file }) => ({ manifest, file: basename(file) }))
  writeFileSync(join(packages, 'packages.json'), JSON.stringify(list))
}

/** A root without its platforms must never be there to install, so it comes last; what is there already is left out. */
async function publish() {
  for (const { manifest, file } of JSON.parse(readFileSync(join(packages, 'packages.json'), 'utf8'))) {
    const { name, version } = manifest
    await step(`publish ${name}`, () => {
      if (npm('view', `${name}@${version}`, 'version').stdout.trim() === version) return `${version} is there already`
      const { status, stderr } = npm('publish', join(packages, file), '--access', 'public', '--provenance')
      if (status !== 0) throw new Error(stderr)
      return version
    })
  }
}

/** @param {import('./release/pack.mjs').Packed} packed */
function sizes({ manifest: { name, version }, size, unpackedSize, files }) {
  const kB = (/** @type {number} */ bytes) => `${Math.ceil(bytes / 1000)} kB`
  return `${name}@${version}, ${files.length} files, ${kB(unpackedSize)} unpacked, ${kB(size)} packed`
}

/** @param {string[]} args */
function npm(...args) {
  const [program, ...rest] = npmCommand(args)
  return spawnSync(program, rest, { cwd: root, encoding: 'utf8' })
}

/**
 * @template T
 * @param {string} name
 * @param {() => T | Promise<T>} act
 * @param {(outcome: T) => unknown} [describe]
 * @returns {Promise<T>}
 */
async function step(name, act, describe = outcome => outcome) {
  process.stdout.write(`${name.padEnd(22)} `)
  const started = Date.now()
  try {
    const outcome = await act()
    console.log(`${describe(outcome)} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
    return outcome
  } catch (error) {
    console.log('FAILED')
    fail(`${name}: ${error instanceof Error ? error.message : error}`)
    throw error
  }
}
