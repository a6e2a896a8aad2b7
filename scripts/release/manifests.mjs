/**
 * What must agree before anything is published: one version everywhere, and npm/ with package.json. A platform package
 * with another version, or without its `os`, is an addon that does not fit the facade.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { root } from '../tools/run.mjs'
import { manifest, readJson, targets } from './targets.mjs'

/** What contradicts what, one line each. */
export function contradictions() {
  /** @type {string[]} */
  const problems = []
  /** @type {(what: string, found: unknown, expected: unknown) => void} */
  const same = (what, found, expected) => {
    if (isDeepStrictEqual(found, expected)) return
    problems.push(`${what} is ${JSON.stringify(found)}, and should be ${JSON.stringify(expected)}`)
  }
  const { version, license, repository, publishConfig } = manifest
  const lock = readJson('package-lock.json')
  same('version in package-lock.json', lock.version, version)
  same('version of the root in package-lock.json', lock.packages[''].version, version)
  same('version in Cargo.toml', readCargo().version, version)
  same('newest version in CHANGELOG.md', /^## \[(\d[^\]]*)\]/m.exec(read('CHANGELOG.md'))?.[1], version)
  // Committed but not yet published, these would make `npm ci` fail in a fresh clone: packing adds them.
  same('optionalDependencies in package.json', manifest.optionalDependencies, undefined)
  same('dependencies in package.json', manifest.dependencies, undefined)
  same('folders in npm/', readdirSync(join(root, 'npm')).sort(), targets.map(({ name }) => name).sort())
  for (const target of targets) {
    const file = `${target.folder}/package.json`
    const { name, os, cpu, libc, main, engines, scripts, ...rest } = readJson(file)
    same(`name in ${file}`, name, target.package)
    same(`systems in ${file}`, { os, cpu, ...(libc && { libc }) }, target.where)
    same(`main in ${file}`, main, target.binary)
    // npm skips, without a word, an optional package whose engines do not match; the loader explains instead.
    same(`engines and scripts in ${file}`, [engines, scripts], [undefined, undefined])
    same(`version in ${file}`, rest.version, version)
    same(`license in ${file}`, rest.license, license)
    same(`repository in ${file}`, rest.repository, { ...repository, directory: target.folder })
    same(`publishConfig in ${file}`, rest.publishConfig, publishConfig)
  }
  // Provenance ties a package to the repository that its workflow ran in; npm refuses any other.
  const { GITHUB_REPOSITORY: here } = process.env
  if (here && process.env.GITHUB_REF_TYPE === 'tag') {
    same('repository in package.json', repository.url, `git+https://github.com/${here}.git`)
    same('the tag', process.env.GITHUB_REF_NAME, `v${version}`)
  }
  return problems
}

/**
 * Writes `version` wherever one stands; the changelog is written by hand.
 *
 * @param {string} version
 */
export function setVersion(version) {
  const files = ['package.json', 'package-lock.json', ...targets.map(({ folder }) => `${folder}/package.json`)]
  for (const file of files) {
    const json = readJson(file)
    json.version = version
    if (json.packages) json.packages[''].version = version
    writeFileSync(join(root, file), `${JSON.stringify(json, undefined, 2)}\n`)
  }
  const { text, at, version: old } = readCargo()
  writeFileSync(join(root, 'Cargo.toml'), `${text.slice(0, at)}${version}${text.slice(at + old.length)}`)
}

/** The workspace's version in Cargo.toml, and where it stands. */
function readCargo() {
  const text = read('Cargo.toml')
  const found = /^\[workspace\.package\]\nversion = "([^"]+)"/m.exec(text)
  if (found === null) throw new Error('Cargo.toml has no version right below [workspace.package]')
  return { text, version: found[1], at: found.index + found[0].lastIndexOf(found[1]) }
}

/** @param {string} file */
function read(file) {
  return readFileSync(join(root, file), 'utf8')
}
