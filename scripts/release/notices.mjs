/**
 * THIRD-PARTY-NOTICES.txt of a platform's package: the licences of the crates that are linked into its addon.
 *
 * It is made when the package is, from Cargo.lock and the crates' own files, so it cannot be older than the addon. A crate
 * whose licence is not found fails the packing.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../tools/run.mjs'
import { read } from './addon.mjs'

export const NOTICES = 'THIRD-PARTY-NOTICES.txt'

/** Where a repository has the licence and its crates leave it out: who holds the copyright in it, under MIT. */
const MIT_HOLDERS = new Map([
  ['https://github.com/napi-rs/napi-rs', ['Copyright (c) 2020 LongYinan', 'Copyright (c) 2018 GitHub']],
])

/** Of licences to choose from, the first that a crate has: MIT is the shortest, and names who wrote the crate. */
const CHOICE = [/^licen[cs]e-mit/i, /^licen[cs]e(\.|$)/i, /^licen[cs]e[-_]a/i]
const ALSO = /^(copyright|notices?)(\.|$)/i

/**
 * @typedef {object} Crate as `cargo metadata` tells it
 * @property {string} id
 * @property {string} name
 * @property {string} version
 * @property {string} license
 * @property {string | null} repository
 * @property {string | null} source null in this workspace
 * @property {string} manifest_path
 * @property {{ kind: string[] }[]} targets
 */

/** @param {import('./targets.mjs').Target} target */
export function noticesOf(target) {
  /** @type {Map<string, string[]>} */
  const crates = new Map()
  for (const crate of linkedCrates(target)) {
    const text = licenceOf(crate)
    const line = `${crate.name} ${crate.version} (${crate.license})${crate.repository ? `, ${crate.repository}` : ''}`
    crates.set(text, [...(crates.get(text) ?? []), line])
  }
  // Which version of it comes in is up to the compiler, and nothing in Cargo.lock names it.
  const std = `the standard library of Rust (MIT OR Apache-2.0), https://github.com/rust-lang/rust/blob/HEAD/COPYRIGHT,
under the Apache License 2.0, which is in LICENSE-APACHE beside this file`
  const parts = [...crates].map(([text, lines]) => `${lines.join('\n')}\n\n${text}`)
  const rule = `\n\n${'='.repeat(80)}\n\n`
  return `${[`${target.binary} contains varve and the following works.`, std, ...parts].join(rule)}\n`
}

/**
 * What the addon is linked from besides this workspace: not what only builds it, and no macros.
 *
 * @param {import('./targets.mjs').Target} target
 */
export function linkedCrates({ triple }) {
  const args = ['metadata', '--format-version', '1', '--locked', '--filter-platform', triple]
  const { packages, resolve } = JSON.parse(read('cargo', args))
  /** @type {Map<string, Crate>} */
  const crates = new Map(packages.map((/** @type {Crate} */ crate) => [crate.id, crate]))
  /** @type {Map<string, { deps: { pkg: string, dep_kinds: { kind: string | null }[] }[] }>} */
  const nodes = new Map(resolve.nodes.map((/** @type {any} */ node) => [node.id, node]))
  /** @type {Set<Crate>} */
  const linked = new Set()
  const visit = (/** @type {string} */ id) => {
    const crate = /** @type {Crate} */ (crates.get(id))
    if (linked.has(crate) || crate.targets.some(({ kind }) => kind.includes('proc-macro'))) return
    linked.add(crate)
    for (const { pkg, dep_kinds } of nodes.get(id)?.deps ?? []) {
      if (dep_kinds.some(({ kind }) => kind === null)) visit(pkg)
    }
  }
  for (const { id, name } of packages) if (name === 'varve-node') visit(id)
  return [...linked].filter(({ source }) => source !== null).sort((a, b) => a.name.localeCompare(b.name, 'en'))
}

/** @param {Crate} crate */
function licenceOf({ name, version, license, repository, manifest_path }) {
  const folder = dirname(manifest_path)
  const files = readdirSync(folder)
  const text = (/** @type {string} */ file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim()
  // Of several that hold together none may be left out; which of the crate's files they are is for a person to say.
  if (/\bAND\b/.test(license))
    throw new Error(`${name} ${version} is under ${license}: all of that must be in ${NOTICES}`)
  const chosen = CHOICE.map(choice => files.find(file => choice.test(file))).find(file => file !== undefined)
  if (chosen !== undefined) return [chosen, ...files.filter(file => ALSO.test(file))].map(text).join('\n\n')
  const holders = MIT_HOLDERS.get(repository ?? '')
  if (holders === undefined || license !== 'MIT')
    throw new Error(`${name} ${version} (${license}) has no licence in ${folder}`)
  return readFileSync(join(root, 'LICENSE-MIT'), 'utf8')
    .trim()
    .replace(/^Copyright .*$/m, holders.join('\n'))
}
