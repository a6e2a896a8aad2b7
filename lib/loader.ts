/**
 * The one place that loads the addon, or says why it cannot be loaded and which command mends that.
 *
 * Nothing is loaded before the first call that needs it: importing varve never fails for want of a binary.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { VarveError } from './errors.js'
import type { Binding } from './native.js'

/** What there are packages for: `napi.targets` of package.json in Node's words. */
export const TARGETS = [
  'linux-x64-gnu',
  'linux-arm64-gnu',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
  'win32-arm64-msvc',
]

// A bundler that does not leave varve alone moves this file, or invents a place; in an ES module it has no name at all.
const file = typeof __filename === 'string' ? __filename : join(process.cwd(), 'bundle.js')
const bundled = !/^loader\.[jt]s$/.test(basename(file)) || !existsSync(file)
const root = join(dirname(file), '..')
// Not `import`, and no name that a bundler could follow: so it cannot fail to, and what is missing can be explained.
const need = createRequire(file)

let loaded: Binding | undefined

/** The addon: a local build at the repository's root, else the platform's package. */
export function load(): Binding {
  loaded ??= find()
  return loaded
}

function find(): Binding {
  const { platform, arch } = process
  const abi = { linux: libc() === 'musl' ? '-musl' : '-gnu', win32: '-msvc' }[platform as string] ?? ''
  const target = `${platform}-${arch}${abi}`
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19) || major === 21 || (major === 22 && minor < 12)) {
    throw unavailable(target, 'this runtime is too old', 'use Node.js 20.19, 22.12 or newer')
  }
  const failures: NodeJS.ErrnoException[] = []
  for (const place of [join(root, `varve.${target}.node`), packageOf(target)]) {
    try {
      return need(place) as Binding
    } catch (error) {
      failures.push(error as Error)
    }
  }
  // A file that is there and does not load says more than one that is not there.
  const cause = failures.find(({ code }) => code !== 'MODULE_NOT_FOUND') ?? failures[1]!
  throw unavailable(target, ...explain(target, cause), cause)
}

/** What is wrong, and the one command that mends it. */
function explain(target: string, cause: NodeJS.ErrnoException): [what: string, mend: string] {
  const { platform, arch } = process
  const what = messages(cause)
  if (cause.code === 'ERR_DLOPEN_DISABLED') return [what, 'start node with --allow-addons']
  if (/allow-ffi/.test(what)) return [what, 'start deno with --allow-ffi']
  if (!TARGETS.includes(target)) {
    return ['there is no prebuilt binary for this platform', `run it on one of ${TARGETS.join(', ')}`]
  }
  if (bundled) {
    const how =
      'leave varve out of it (esbuild: --external:varve, Next.js: serverExternalPackages) and install it there'
    return [`varve was bundled (as ${file}), and a bundle holds no native code`, how]
  }
  if (existsSync(join(root, 'Cargo.toml'))) return [what, 'run: npm run build']
  if (/GLIBC_/.test(what)) return [what, 'use a system with glibc 2.28 or newer (Debian 10, Ubuntu 20.04, RHEL 8)']
  const other = TARGETS.find(other => other !== target && isInstalled(other))
  const where = ['', `--os=${platform}`, `--cpu=${arch}`, ...(libc() ? [`--libc=${libc()}`] : [])].join(' ')
  return [
    other ? `${packageOf(other)} is installed instead, so node_modules comes from another system` : what,
    `run: npm install --include=optional${where} varve`,
  ]
}

function unavailable(target: string, what: string, mend: string, cause?: Error): VarveError {
  const { platform, arch, versions } = process
  const other = (['bun', 'deno', 'electron'] as const).find(name => versions[name] !== undefined)
  const runtime = other ? other[0]!.toUpperCase() + other.slice(1) : 'Node.js'
  const where = [`${platform} ${arch}`, libc(), `${runtime} ${versions[other ?? 'node']}`].filter(Boolean).join(', ')
  const message = `the native part of varve (${target}) cannot be loaded on ${where}: ${what}. To mend it, ${mend}`
  return new VarveError('VARVE_UNSUPPORTED', message, { cause })
}

/** The message of an error and of its causes: the first line of each, since the rest is a list of requiring files. */
function messages(error: unknown): string {
  const lines: string[] = []
  for (let at = error; at instanceof Error && lines.length < 5; at = at.cause)
    lines.push(at.message.replace(/\.?(\n.*)?$/s, ''))
  return lines.join('; ')
}

function packageOf(target: string): string {
  return `@varve-log/varve-${target}`
}

function isInstalled(target: string): boolean {
  try {
    return need.resolve(`${packageOf(target)}/package.json`) !== ''
  } catch {
    return false
  }
}

/** The C library of a Linux, as npm calls it. */
function libc(): 'glibc' | 'musl' | undefined {
  if (process.platform !== 'linux') return undefined
  const { Deno } = globalThis as { Deno?: { build: { env?: string } } }
  if (Deno !== undefined) return Deno.build.env === 'musl' ? 'musl' : 'glibc' // the report would ask for a permission
  const report = process.report as (NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined
  if (typeof report?.getReport !== 'function') return existsSync('/etc/alpine-release') ? 'musl' : 'glibc'
  const before = report.excludeNetwork
  report.excludeNetwork = true // otherwise it may wait for reverse DNS
  try {
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
    return header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
  } finally {
    report.excludeNetwork = before
  }
}
