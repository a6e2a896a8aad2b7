import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { open, planRecovery } from '../../lib/index.js'
import { varve } from '../support/cli.js'
import { closedLog, newPath, openLog, snapshot, texts, textsIn } from '../support/temp.js'

/** A log with the beginnings of a write behind its end. */
async function tornLog(): Promise<string> {
  const dir = await closedLog(texts(50))
  appendFileSync(join(dir, '0000000001.seg'), 'half a frame')
  return dir
}

test('a torn tail is shown, and cut only with --yes', async () => {
  const dir = await tornLog()
  const before = snapshot(dir)
  const shown = await varve(['recover', dir])
  expect(shown).toMatchObject({ code: 0, stderr: '' })
  expect(shown.stdout).toMatch(
    /would cut {3}12 bytes of 0000000001\.seg from position [\d,]+ on, kept in lost-\S+\.bin\n/,
  )
  expect(shown.stdout).toContain(`nothing was changed; to do it: varve recover ${dir} --yes`)
  const json = JSON.parse((await varve(['recover', dir, '--json'])).stdout)
  expect(json).toMatchObject({ done: false, head: { size: 50 }, cuts: [{ segment: '0000000001.seg', cutBytes: 12 }] })
  expect(snapshot(dir)).toEqual(before)

  const done = await varve(['recover', dir, '--yes'])
  expect(done.code).toBe(0)
  expect(done.stdout).toMatch(/^cut {3}12 bytes/)
  expect(readFileSync(join(dir, json.cuts[0].savedAs), 'utf8')).toBe('half a frame')
  expect((await varve(['recover', dir])).stdout).toContain(
    `nothing to repair at the end; varve verify ${dir} checks the rest`,
  )
  expect(await textsIn(dir)).toEqual(texts(50))
})

test('what is planned is what opening does', async () => {
  const dir = await tornLog()
  const plan = await planRecovery(dir)
  const log = await open(dir)
  expect(plan.cuts).toEqual([log.recovery])
  expect(plan.head).toEqual(log.head)
  await expect(planRecovery(dir)).rejects.toMatchObject({ code: 'VARVE_LOCKED' })
  await log.close()
  expect(await planRecovery(dir)).toEqual({ head: log.head, cuts: [] })
})

test('what is sound of a damaged log can be copied, and the rest is listed', async () => {
  const dir = await closedLog(texts(5_000, 100), { compression: 'none' })
  const path = join(dir, '0000000001.seg')
  const bytes = readFileSync(path)
  bytes[4096 + 150_000]! ^= 1
  writeFileSync(path, bytes)
  const before = snapshot(dir)
  const refused = await varve(['append', dir, '--format', 'lines'], { input: 'x\n' })
  const plan = await varve(['recover', dir])
  // A log that was closed is rehashed from its last state frame on: the damage lies before that, and only reading finds it.
  expect([refused.code, plan.code]).toEqual([0, 0])
  expect((await varve(['verify', dir])).code).toBe(1)

  const to = newPath('rescued')
  const { code, stdout } = await varve(['recover', dir, '--to', to])
  expect(code).toBe(1)
  expect(stdout).toContain('left out  100 records\n')
  expect(stdout).toMatch(/ {2}1,\d00 to 1,\d99 {2}0000000001\.seg, position [\d,]+: the checksum/)
  expect(stdout).toMatch(/offsets {3}close up: record (1,\d00) is now (1,\d00) /)
  expect((await varve(['verify', to])).code).toBe(0)
  const copy = await textsIn(to)
  expect(copy).toHaveLength(4_901)
  expect(copy.at(-1)).toBe('x')
  expect(Object.keys(snapshot(dir))).toEqual(Object.keys(before))
  expect(existsSync(`${to}.partial`)).toBe(false)
})

test('a log that is refused says how to copy what is sound of it', async () => {
  const dir = await closedLog(texts(3_000, 100), { compression: 'none', segmentBytes: 64 * 1024 })
  rmSync(join(dir, '0000000002.seg'))
  const before = snapshot(dir)
  for (const args of [[], ['--yes']]) {
    const { code, stdout, stderr } = await varve(['recover', dir, ...args])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain(`varve recover ${dir} --to NEWDIR copies what is sound [VARVE_CORRUPT]`)
  }
  const to = newPath('rescued')
  const { code, stdout } = await varve(['recover', dir, '--to', to, '--json'])
  expect(code).toBe(1)
  const { records, recordsLeftOut, runs, leftOut } = JSON.parse(stdout)
  expect(records + recordsLeftOut).toBe(3_000)
  expect(leftOut).toEqual([expect.objectContaining({ segment: '0000000002.seg', why: 'a segment file is missing' })])
  const kept = runs.flatMap((run: { from: number; to: number }) => texts(3_000, 100).slice(run.from, run.to))
  expect(await textsIn(to)).toEqual(kept)
  expect(snapshot(dir)).toEqual(before)
})

test('nothing that exists is written to', async () => {
  const dir = await closedLog(texts(10))
  for (const to of [dir, join(dir, 'copy'), newPath('x').replace(/x$/, '')]) {
    const { code, stdout, stderr } = await varve(['recover', dir, '--to', to])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/(exists; a copy goes into a new folder only|lies in).* \[VARVE_INVALID\]\n$/)
  }
  const both = await varve(['recover', dir, '--to', newPath(), '--yes'])
  expect(both.code).toBe(2)
})

test('a log in use has nothing to recover', async () => {
  const dir = newPath()
  await openLog(dir)
  for (const args of [[], ['--yes'], ['--to', newPath()]]) {
    const { code, stderr } = await varve(['recover', dir, ...args])
    expect({ args, code }).toEqual({ args, code: 3 })
    expect(stderr).toContain('[VARVE_LOCKED]')
  }
})

test('a secret is kept, and so are the times', async () => {
  const secret = Buffer.alloc(32, 7)
  const file = newPath('secret')
  writeFileSync(file, secret)
  const dir = await closedLog(texts(10), { secret })
  const to = newPath('copy')
  expect((await varve(['recover', dir, '--to', to])).code).toBe(2)
  const { code, stdout } = await varve(['recover', dir, '--to', to, '--secret-file', file, '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({
    records: 10,
    recordsLeftOut: 0,
    runs: [{ from: 0, to: 10, at: 0 }],
    leftOut: [],
  })
  const records = async (dir: string) => {
    const log = await openLog(dir, { secret })
    return log.read().toArray()
  }
  expect(await records(to)).toEqual(await records(dir))
})
