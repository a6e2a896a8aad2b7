/** The systems that varve is built for: `napi.targets` of package.json, one package in npm/ for each. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../tools/run.mjs'

export const manifest = readJson('package.json')

/**
 * @typedef {object} Target
 * @property {string} triple as Rust says it
 * @property {string} name as Node says it: `linux-x64-gnu`
 * @property {string} package its name on npm
 * @property {string} folder of its package, from the root
 * @property {string} binary the addon's file name
 * @property {{ os: string[], cpu: string[], libc?: string[] }} where as package.json says it
 */

/** @type {Target[]} */
export const targets = manifest.napi.targets.map(describe)

/** @param {string} name */
export function targetOf(name) {
  const target = targets.find(target => target.name === name || target.triple === name)
  if (target === undefined) throw new Error(`${name} is not one of ${targets.map(({ name }) => name).join(', ')}`)
  return target
}

/** The target that this machine is. */
export function hostTarget() {
  const { platform, arch } = process
  /** @type {any} */
  const report = platform === 'linux' ? process.report.getReport() : undefined
  const abi =
    { linux: report?.header.glibcVersionRuntime ? '-gnu' : '-musl', win32: '-msvc' }[platform.toString()] ?? ''
  return targetOf(`${platform}-${arch}${abi}`)
}

/** @param {string} file from the root */
export function readJson(file) {
  return JSON.parse(readFileSync(join(root, file), 'utf8'))
}

/**
 * @param {string} triple
 * @returns {Target}
 */
function describe(triple) {
  const [cpu, , system, abi] = triple.split('-')
  const arch = { x86_64: 'x64', aarch64: 'arm64' }[cpu]
  const os = { linux: 'linux', darwin: 'darwin', windows: 'win32' }[system]
  if (arch === undefined || os === undefined)
    throw new Error(`package.json names a target that nobody knows: ${triple}`)
  const name = [os, arch, abi].filter(Boolean).join('-')
  const { binaryName, packageName } = manifest.napi
  const libc = os === 'linux' ? { libc: [abi === 'musl' ? 'musl' : 'glibc'] } : {}
  return {
    triple,
    name,
    package: `${packageName}-${name}`,
    folder: `npm/${name}`,
    binary: `${binaryName}.${name}.node`,
    where: { os: [os], cpu: [arch], ...libc },
  }
}
