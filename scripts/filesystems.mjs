/**
 * `node scripts/filesystems.mjs [--rounds N] [--cuts N] [ext4 xfs btrfs]`: the kill loop on file systems of their own.
 * By hand, as root, on Linux with e2fsprogs, xfsprogs and btrfs-progs; results are in docs/filesystems.md.
 *
 * Each file system lies in an image on a loop device, and that image lies in an XFS of its own. So there are two ways
 * to end a writer: SIGKILL (N rounds), and a power cut (N rounds): the outer XFS is shut down without flushing, which
 * takes from the inner disk whatever no flush command has made durable. Then both are mounted again and replay their
 * journals.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './tools/build.mjs'
import { ensurePrerequisites, fail } from './tools/prerequisites.mjs'
import { binOf, root } from './tools/run.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '200' }, cuts: { type: 'string', default: '100' } },
})
/** @type {Record<string, string[]>} */
const MAKE = { ext4: ['mkfs.ext4', '-q', '-F'], xfs: ['mkfs.xfs', '-q', '-f'], btrfs: ['mkfs.btrfs', '-q', '-f'] }
const chosen = positionals.length > 0 ? positionals : Object.keys(MAKE)
const unknown = chosen.find(name => MAKE[name] === undefined)
if (unknown !== undefined) fail(`${unknown} is not one of ${Object.keys(MAKE).join(', ')}`)
if (process.platform !== 'linux' || process.getuid?.() !== 0) fail('loop mounts need root on Linux')

ensurePrerequisites()
build()
const results = chosen.map(name => ({ name, ...measure(name) }))
console.log('\n| file system | SIGKILL | power cut |\n| --- | --- | --- |')
for (const { name, killed, cut } of results) console.log(`| ${name} | ${killed} | ${cut} |`)
process.exitCode = results.every(({ good }) => good) ? 0 : 1

/**
 * @param {string} name
 * @returns {{ killed: string, cut: string, good: boolean }}
 */
function measure(name) {
  const work = mkdtempSync(join(tmpdir(), `varve-${name}-`))
  const outer = join(work, 'outer')
  const inner = join(work, 'inner')
  for (const dir of [outer, inner]) mkdirSync(dir)
  const images = [join(work, 'outer.img'), join(outer, 'inner.img')]
  try {
    const problem =
      attempt('truncate', '-s', '3G', images[0]) ??
      attempt('mkfs.xfs', '-q', '-f', images[0]) ??
      attempt('mount', '-o', 'loop', images[0], outer) ??
      attempt('truncate', '-s', '1G', images[1]) ??
      attempt(...MAKE[name], images[1]) ??
      attempt('mount', '-t', name, '-o', 'loop', images[1], inner)
    if (problem !== undefined) return { killed: problem, cut: 'not run', good: true }
    console.log(`── ${spawnSync('findmnt', ['-n', inner], { encoding: 'utf8' }).stdout.trim()}`)
    const killed = loop(values.rounds, inner)
    const power = join(work, 'power.sh')
    writeFileSync(power, powerSwitch({ name, outer, inner, images }), { mode: 0o755 })
    const cut = killed.good ? loop(values.cuts, inner, power) : { says: 'not run', good: true }
    return { killed: killed.says, cut: cut.says, good: killed.good && cut.good }
  } finally {
    for (const dir of [inner, outer]) attempt('umount', dir)
    rmSync(work, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** @param {{ name: string, outer: string, inner: string, images: string[] }} paths */
function powerSwitch({ name, outer, inner, images }) {
  return `#!/bin/sh
set -e
case $1 in
cut) xfs_io -x -c shutdown '${outer}' ;;
restore)
  umount '${inner}'; umount '${outer}'
  mount -o loop '${images[0]}' '${outer}'; mount -t ${name} -o loop '${images[1]}' '${inner}' ;;
esac
`
}

/**
 * Runs the kill loop in `dir`.
 *
 * @param {string} rounds
 * @param {string} dir
 * @param {string} [power]
 */
function loop(rounds, dir, power) {
  const environment = { VARVE_KILL_ROUNDS: rounds, VARVE_TEST_DIR: dir, ...(power && { VARVE_POWER: power }) }
  const args = [binOf('vitest'), 'run', '__test__/process/killed-writers', '--disableConsoleIntercept=true']
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  const facts = /nothing: (\{.*\})/.exec(stdout)?.[1]
  if (status !== 0 || facts === undefined) {
    console.log(stdout)
    return { says: `FAILED, ${rounds} rounds`, good: false }
  }
  console.log(facts)
  const { receipts, cuts } = JSON.parse(facts)
  return { says: `${rounds} rounds, ${receipts} receipts, ${cuts} tails cut, nothing lost`, good: true }
}

/**
 * @param {string[]} command
 * @returns {string | undefined} why it did not work
 */
function attempt(...command) {
  const { status, error, stderr } = spawnSync(command[0], command.slice(1), { encoding: 'utf8' })
  if (status === 0) return undefined
  return `${command[0]}: ${(error?.message ?? stderr).trim().split('\n').at(-1)}`
}
