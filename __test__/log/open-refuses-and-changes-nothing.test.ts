import { createSecretKey } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { open, verify } from '../../lib/index.js'
import { closedLog, newPath, openLog, snapshot, texts } from '../support/temp.js'

const secret = Buffer.alloc(32, 1)

/** The error of an open that changes nothing in `dir`. */
async function refused(dir: string, options: any): Promise<any> {
  const before = existsSync(dir) ? snapshot(dir) : undefined
  const error = await open(dir, options).then(
    async log => {
      await log.close()
      return new Error('it opened')
    },
    error => error,
  )
  expect(existsSync(dir) ? snapshot(dir) : undefined).toEqual(before)
  return error
}

test('a missing folder with createIfMissing: false is VARVE_NOT_FOUND; with readOnly, too', async () => {
  const dir = newPath()
  expect(await refused(dir, { createIfMissing: false })).toMatchObject({ code: 'VARVE_NOT_FOUND', path: dir })
  expect(await refused(dir, { readOnly: true })).toMatchObject({ code: 'VARVE_NOT_FOUND', path: dir })
  await mkdir(dir)
  expect(await refused(dir, { createIfMissing: false })).toMatchObject({ code: 'VARVE_NOT_FOUND', path: dir })
})

test('errorIfExists is VARVE_EXISTS where there is a log, and fine in an empty folder', async () => {
  const dir = await closedLog(['a'])
  expect(await refused(dir, { errorIfExists: true })).toMatchObject({ code: 'VARVE_EXISTS', path: dir })
  const empty = newPath()
  await mkdir(empty)
  await (await open(empty, { errorIfExists: true })).close()
})

test('a file in place of the folder is VARVE_IO with path and system error', async () => {
  const dir = newPath()
  writeFileSync(dir, 'I am a file')
  for (const [path, code] of [
    [dir, /^(ENOTDIR|EEXIST)$/],
    [join(dir, 'below'), /^ENOTDIR$/],
  ] as const) {
    const error = await open(path).catch(error => error)
    expect(error).toMatchObject({ code: 'VARVE_IO', path: expect.stringContaining(dir) })
    expect(error.cause).toMatchObject({
      code: expect.stringMatching(code),
      errno: expect.any(Number),
      syscall: expect.any(String),
    })
  }
})

test.skipIf(process.getuid?.() === 0)('a folder that is not writable is VARVE_IO with EACCES', async () => {
  const parent = newPath()
  await mkdir(parent, { mode: 0o500 })
  const error = await open(join(parent, 'log')).catch(error => error)
  expect(error).toMatchObject({ code: 'VARVE_IO', cause: { code: 'EACCES' } })
})

test('a wrong, a missing and a superfluous secret are VARVE_WRONG_SECRET', async () => {
  const keyed = await closedLog(texts(10), { secret })
  for (const options of [{}, { secret: Buffer.alloc(32, 2) }, { secret: Buffer.alloc(33, 1) }]) {
    expect(await refused(keyed, options)).toMatchObject({ code: 'VARVE_WRONG_SECRET', path: keyed })
    expect(await refused(keyed, { ...options, readOnly: true })).toMatchObject({ code: 'VARVE_WRONG_SECRET' })
  }
  const plain = await closedLog(texts(10))
  expect(await refused(plain, { secret })).toMatchObject({ code: 'VARVE_WRONG_SECRET' })
  const log = await openLog(keyed, { secret: createSecretKey(secret) })
  expect(log.head.size).toBe(10)
  expect(await verify(keyed, { secret })).toMatchObject({ ok: true, established: 'secret' })
})

test('another encoding than stored is VARVE_ENCODING_MISMATCH; buffer opens any', async () => {
  const dir = await closedLog(['text'])
  const error = await refused(dir, { encoding: 'json' })
  expect(error).toMatchObject({ code: 'VARVE_ENCODING_MISMATCH', path: dir })
  expect(error.message).toMatch(/utf8.*json|json.*utf8/)
  const raw = await openLog<Uint8Array, Buffer>(dir)
  expect((await raw.get(0))!.value.toString()).toBe('text')
})

test('expectHead of another log, ahead, with another hash, or where no log is: VARVE_HEAD_MISMATCH', async () => {
  const dir = newPath()
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  const old = (await log.appendBatch(['a', 'b'])).head
  const last = (await log.append('c')).head
  await log.close()
  const other = await openLog<string>(newPath(), { encoding: 'utf8' })
  const foreign = (await other.appendBatch(['a', 'b'])).head

  const flipped = last.hash.replace(/^./, digit => (digit === '0' ? '1' : '0'))
  for (const expectHead of [foreign, { ...last, size: 4 }, { ...last, hash: flipped }, { ...old, hash: flipped }]) {
    for (const readOnly of [false, true]) {
      const error = await refused(dir, { expectHead, readOnly })
      expect(error).toMatchObject({ code: 'VARVE_HEAD_MISMATCH' })
      expect(String(error.expected)).toContain(expectHead.hash)
      expect(error.found).toBeDefined()
    }
  }
  const nowhere = newPath()
  expect(await refused(nowhere, { expectHead: last })).toMatchObject({ code: 'VARVE_HEAD_MISMATCH' })
  expect(existsSync(nowhere)).toBe(false)

  for (const expectHead of [old, last, { id: old.id, size: 0, hash: undefined as any }].slice(0, 2)) {
    const again = await openLog<string>(dir, { encoding: 'utf8', expectHead })
    expect(again.head.size).toBe(3)
    await again.close()
  }
})

test('a log rolled back to an older copy is caught by expectHead, and by nothing else', async () => {
  const { cpSync, rmSync } = await import('node:fs')
  const dir = newPath()
  let log = await openLog<string>(dir, { encoding: 'utf8' })
  await log.append('a')
  await log.close()
  const old = newPath('old')
  cpSync(dir, old, { recursive: true })
  log = await openLog<string>(dir, { encoding: 'utf8' })
  const { head } = await log.append('b')
  await log.close()
  rmSync(dir, { recursive: true })
  cpSync(old, dir, { recursive: true })
  expect((await verify(dir)).ok).toBe(true)
  expect((await verify(dir, { expectHead: head })).ok).toBe(false)
  expect(await refused(dir, { expectHead: head })).toMatchObject({ code: 'VARVE_HEAD_MISMATCH' })
})

test('stray files are ignored and never touched', async () => {
  const dir = await closedLog(texts(10))
  const strays = ['.DS_Store', 'notes.txt', '0000000001.seg~', '.0000000001.seg.swp', 'seg', '1.seg', '00000000002.seg']
  for (const name of strays) writeFileSync(join(dir, name), `stray ${name}`)
  await mkdir(join(dir, 'a folder'))
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  expect(log.recovery).toBeUndefined()
  await log.append('more')
  await log.close()
  expect((await verify(dir)).problems).toEqual([])
  const { readFileSync } = await import('node:fs')
  for (const name of strays) expect(readFileSync(join(dir, name), 'utf8')).toBe(`stray ${name}`)
  expect(readdirSync(dir)).toContain('a folder')
})
