/** Folders that go away after their test, and logs in them: opened, closed, copied, compared byte for byte. */
import { createHash } from 'node:crypto'
import { cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Encoding, type Log, type OpenOptions, open } from '../../lib/index.js'

/** A path where nothing is yet, in a folder that goes away after the test; VARVE_TEST_DIR says on which file system. */
export function newPath(name = 'log'): string {
  const parent = mkdtempSync(join(process.env.VARVE_TEST_DIR ?? tmpdir(), 'varve-test-'))
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
  return join(parent, name)
}

/** `open` that closes after the test, whatever happened. */
export async function openLog<In = Uint8Array, Out = In>(
  dir: string | URL,
  options?: OpenOptions & { encoding?: OpenOptions['encoding'] | Encoding<In, Out> },
): Promise<Log<In, Out>> {
  const log = (await open(dir, options as any)) as unknown as Log<In, Out>
  onTestFinished(() => log.close().catch(() => {}))
  return log
}

/** A closed log of texts in a new folder. */
export async function closedLog(values: readonly string[], options: OpenOptions = {}): Promise<string> {
  const dir = newPath()
  const log = await open(dir, { ...options, encoding: 'utf8' })
  for (let at = 0; at < values.length; at += 100) await log.appendBatch(values.slice(at, at + 100))
  await log.close()
  return dir
}

/** A copy of a log's folder; its files have other inodes, so the live mark says nothing of them. */
export function copyOf(dir: string): string {
  const copy = newPath('copy')
  cpSync(dir, copy, { recursive: true })
  return copy
}

/** Names of the segment files, lowest first. */
export function segments(dir: string): string[] {
  return readdirSync(dir)
    .filter(name => name.endsWith('.seg'))
    .sort()
}

/** Names of the segment files that hold something. */
export function usedSegments(dir: string): string[] {
  return segments(dir).filter(name => readFileSync(join(dir, name)).some(byte => byte !== 0))
}

/** Every file with its contents, to show that nothing was changed. The lock file holds the last holder, so it is left out. */
export function snapshot(dir: string): Record<string, string> {
  const files: Record<string, string> = {}
  for (const name of readdirSync(dir).sort()) {
    if (name === 'lock') continue
    const path = join(dir, name)
    const hash = lstatSync(path).isFile() ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'folder'
    files[name] = hash
  }
  return files
}

/** All values of a log of texts. */
export async function textsIn(dir: string, options: OpenOptions = {}): Promise<string[]> {
  const log = await open(dir, { ...options, encoding: 'utf8' })
  try {
    return (await log.read().toArray()).map(({ value }) => value)
  } finally {
    await log.close()
  }
}

/** `count` texts that differ. */
export const texts = (count: number, size = 40) =>
  Array.from({ length: count }, (_, n) => `text ${n} `.padEnd(size, String(n)))

/** A seeded generator (mulberry32): floats in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
