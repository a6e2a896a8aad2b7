import { copyFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inspect, open, verify } from '../../lib/index.js'
import { closedLog, copyOf, snapshot, texts, usedSegments } from '../support/temp.js'

const several = () => closedLog(texts(3_000, 100), { segmentBytes: 64 * 1024, compression: 'none' })

/** The error of opening, or, where that need not look into every file, of reading all. Neither changes anything. */
async function refused(dir: string, to: 'open' | 'open or read' = 'open'): Promise<any> {
  const before = snapshot(dir)
  const error = await open(dir, { encoding: 'utf8', readOnly: to !== 'open' }).then(
    async log => {
      const read =
        to === 'open'
          ? undefined
          : await log
              .read()
              .toArray()
              .catch(error => error)
      await log.close()
      return read instanceof Error ? read : new Error('nothing was refused')
    },
    error => error,
  )
  expect(snapshot(dir)).toEqual(before)
  return error
}

test('a segment missing at either end or in the middle is VARVE_CORRUPT, and verify says so', async () => {
  const dir = await several()
  const files = usedSegments(dir)
  expect(files.length).toBeGreaterThan(3)
  for (const file of [files[0]!, files[1]!, files.at(-1)!]) {
    const copy = copyOf(dir)
    rmSync(join(copy, file))
    expect(await refused(copy), file).toMatchObject({ code: 'VARVE_CORRUPT' })
    const report = await verify(copy)
    expect(report.ok, file).toBe(false)
    expect(report.problems[0], file).toMatchObject({ code: 'VARVE_CORRUPT', message: expect.any(String) })
  }
})

test('segments that changed places are VARVE_CORRUPT', async () => {
  const dir = await several()
  const [a, b] = usedSegments(dir) as [string, string]
  renameSync(join(dir, a), join(dir, 'aside'))
  renameSync(join(dir, b), join(dir, a))
  renameSync(join(dir, 'aside'), join(dir, b))
  expect(await refused(dir)).toMatchObject({ code: 'VARVE_CORRUPT' })
  expect((await verify(dir)).ok).toBe(false)
})

test('a segment of another log is VARVE_CORRUPT', async () => {
  const dir = await several()
  const other = await several()
  for (const at of [0, 1, -1]) {
    const copy = copyOf(dir)
    const file = usedSegments(copy).at(at)!
    copyFileSync(join(other, usedSegments(other).at(at)!), join(copy, file))
    // Opening costs the same for any number of segments, so one in the middle is found by who reads it.
    const error = await refused(copy, at === 1 ? 'open or read' : 'open')
    expect(error, file).toMatchObject({ code: 'VARVE_CORRUPT', segment: expect.any(String) })
    expect((await verify(copy)).ok, file).toBe(false)
  }
})

test('inspect lists segments, counts and head of a sound log without taking its lock', async () => {
  const dir = await several()
  const log = await open(dir, { encoding: 'utf8' })
  const info = await inspect(dir)
  expect(info).toMatchObject({ firstOffset: 0, encoding: 'utf8', keyed: false, head: log.head })
  expect(info.lockedBy).toMatchObject({ pid: process.pid, host: expect.any(String) })
  expect(info.segments.reduce((sum, { count }) => sum + count, 0)).toBe(3_000)
  expect(info.segments[0]).toMatchObject({ file: '0000000001.seg', firstOffset: 0, sealed: true })
  await log.close()
  expect((await inspect(dir)).lockedBy).toBeUndefined()
})

test('inspect and verify of a folder without a log are VARVE_NOT_FOUND', async () => {
  for (const call of [inspect, verify]) {
    await expect(call('/nonexistent/varve')).rejects.toMatchObject({ code: 'VARVE_NOT_FOUND' })
  }
})
