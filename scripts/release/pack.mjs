/**
 * Makes the tarballs that are published, by default in target/packages/, and checks each as a user's npm would see it.
 *
 * `optionalDependencies` are written here and nowhere else; the working tree is not touched.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { binOf, npmCommand, root } from '../tools/run.mjs'
import { read } from './addon.mjs'
import { NOTICES, noticesOf } from './notices.mjs'
import { manifest, readJson, targets } from './targets.mjs'

const ROOT_BYTES_MAX = 300_000
export const packages = join(root, 'target', 'packages')

/**
 * @typedef {object} Packed
 * @property {any} manifest its package.json
 * @property {string} file the tarball
 * @property {number} size of the tarball
 * @property {number} unpackedSize
 * @property {string[]} files
 */

/**
 * A target's package: what is in npm/, the addon, the licences, and those of what is linked into it.
 *
 * @param {import('./targets.mjs').Target} target
 * @param {{ addon?: string, to?: string }} [from]
 */
export function packPlatform(target, { addon = join(root, target.folder, target.binary), to = packages } = {}) {
  if (!existsSync(addon)) throw new Error(`${addon} is not there`)
  const stage = newStage(to, target.name)
  cpSync(join(root, target.folder), stage, { recursive: true })
  cpSync(addon, join(stage, target.binary))
  for (const licence of ['LICENSE-APACHE', 'LICENSE-MIT']) cpSync(join(root, licence), join(stage, licence))
  writeFileSync(join(stage, NOTICES), noticesOf(target))
  const packed = pack(stage, to)
  for (const file of readJson(`${target.folder}/package.json`).files) {
    if (!packed.files.includes(file)) throw new Error(`${target.package} would be published without ${file}`)
  }
  return packed
}

/** The root's package: what `files` names, and a manifest with the platforms in it. */
export function packRoot({ to = packages } = {}) {
  const stage = newStage(to, 'varve')
  for (const file of pack(root, to, '--dry-run').files) {
    mkdirSync(dirname(join(stage, file)), { recursive: true })
    cpSync(join(root, file), join(stage, file))
  }
  // What only a clone needs stays there.
  const { scripts: _, devDependencies: __, napi: ___, ...published } = manifest
  const optionalDependencies = Object.fromEntries(targets.map(target => [target.package, manifest.version]))
  writeFileSync(
    join(stage, 'package.json'),
    `${JSON.stringify({ ...published, optionalDependencies }, undefined, 2)}\n`,
  )
  const packed = pack(stage, to)
  const { unpackedSize } = packed
  if (unpackedSize > ROOT_BYTES_MAX) throw new Error(`the root has ${unpackedSize} bytes, more than ${ROOT_BYTES_MAX}`)
  return packed
}

/** @param {Packed} packed */
export async function lint({ file }) {
  const { publint } = await import('publint')
  const { formatMessage } = await import('publint/utils')
  const tarball = new Uint8Array(readFileSync(file)).buffer
  const { messages, pkg } = await publint({ pack: { tarball }, level: 'suggestion', strict: true })
  if (pkg === undefined) throw new Error('publint found no package.json')
  if (messages.length > 0) throw new Error(messages.map(message => formatMessage(message, pkg)).join('\n'))
  return 'no message'
}

/**
 * Are the types wrong: in Node 10, Node 16 from CommonJS and from ES modules, and in bundlers.
 *
 * @param {Packed} packed
 */
export function checkTypes({ file }) {
  const attw = binOf('@arethetypeswrong/cli', 'attw')
  read(process.execPath, [
    attw,
    file,
    '--profile',
    'strict',
    '--no-definitely-typed',
    '--format',
    'ascii',
    '--no-color',
  ])
  return 'right in every way of resolving them'
}

/**
 * @param {string} to
 * @param {string} name
 */
function newStage(to, name) {
  const stage = join(to, name)
  rmSync(stage, { recursive: true, force: true })
  mkdirSync(stage, { recursive: true })
  return stage
}

/**
 * @param {string} folder
 * @param {string} to
 * @param {string[]} options
 * @returns {Packed}
 */
function pack(folder, to, ...options) {
  const [command, ...args] = npmCommand(['pack', '--json', '--ignore-scripts', '--pack-destination', to, ...options])
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(`npm pack failed\n${stderr}`)
  const [{ filename, size, unpackedSize, files }] = JSON.parse(stdout)
  return {
    manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')),
    file: join(to, filename.replace('@', '').replace('/', '-')),
    size,
    unpackedSize,
    files: files.map((/** @type {{ path: string }} */ { path }) => path),
  }
}
