import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { open, verify } from '../../lib/index.js'
import { closedLog, copyOf, random, snapshot, texts, usedSegments } from '../support/temp.js'

/** What `verify`, `open` and reading everything say of a damaged log; none may change it. */
async function findings(dir: string) {
  const before = snapshot(dir)
  const report = await verify(dir)
  expect(snapshot(dir)).toEqual(before)
  let error: any
  try {
    const log = await open(dir, { encoding: 'utf8' })
    try {
      await log.read({ verify: true }).toArray()
    } finally {
      await log.close()
    }
  } catch (thrown) {
    error = thrown
  }
  return { report, error, unchanged: JSON.stringify(snapshot(dir)) === JSON.stringify(before) }
}

test('a byte flipped anywhere in a header, a frame or a footer is found by verify, with the file', {
  timeout: 300_000,
}, async () => {
  const seed = Number(process.env.VARVE_SEED ?? 99)
  console.log(`flipped-bytes-are-found: VARVE_SEED=${seed}`)
  const pick = random(seed)
  const dir = await closedLog(texts(3_000, 100), { segmentBytes: 64 * 1024, compression: 'none' })
  const files = usedSegments(dir)
  expect(files.length).toBeGreaterThan(3)
  for (const file of [files[0]!, files[1]!, files.at(-1)!]) {
    const path = join(dir, file)
    const bytes = readFileSync(path)
    let end = bytes.length
    while (bytes[end - 1] === 0) end--
    const header = Array.from({ length: 200 }, (_, at) => at).filter(at => at % 7 === 0)
    const body = Array.from({ length: 60 }, () => 4096 + Math.floor(pick() * (end - 4096)))
    const tail = Array.from({ length: 20 }, (_, n) => end - 1 - n * 5)
    for (const at of [...header, ...body, ...tail]) {
      const damaged = Buffer.from(bytes)
      damaged[at]! ^= 1 << Math.floor(pick() * 8)
      writeFileSync(path, damaged)
      const report = await verify(dir)
      expect(report.ok, `${file} at ${at}`).toBe(false)
      expect(report.problems.length, `${file} at ${at}`).toBeGreaterThan(0)
      expect(
        report.problems.some(({ segment }) => segment === file),
        `${file} at ${at}: ${JSON.stringify(report.problems[0])}`,
      ).toBe(true)
    }
    writeFileSync(path, bytes)
  }
  expect((await verify(dir)).problems).toEqual([])
})

test('a flipped payload is VARVE_CORRUPT with segment, position and offset, from get and read; other records are readable', async () => {
  const values = texts(3_000, 100)
  const dir = await closedLog(values, { segmentBytes: 64 * 1024, compression: 'none' })
  const [file] = usedSegments(dir) as [string]
  const path = join(dir, file)
  const bytes = readFileSync(path)
  const at = bytes.indexOf('text 150 ')
  expect(at).toBeGreaterThan(4096)
  bytes[at]! ^= 1
  writeFileSync(path, bytes)
  const before = snapshot(dir)

  const log = await open(dir, { encoding: 'utf8', readOnly: true })
  const error: any = await log.get(150).catch(error => error)
  expect(error).toMatchObject({
    code: 'VARVE_CORRUPT',
    segment: file,
    position: expect.any(Number),
    offset: expect.any(Number),
  })
  expect(error.position).toBeLessThanOrEqual(at)
  expect(error.offset).toBeLessThanOrEqual(150)
  await expect(log.read().toArray()).rejects.toMatchObject({ code: 'VARVE_CORRUPT', segment: file })
  expect((await log.get(2_999))!.value).toBe(values[2_999])
  expect((await log.read({ from: 2_000 }).toArray()).length).toBe(1_000)
  const report = await log.verify()
  expect(report.ok).toBe(false)
  expect(report.problems[0]).toMatchObject({ code: 'VARVE_CORRUPT', segment: file, position: expect.any(Number) })
  await log.close()
  expect(snapshot(dir)).toEqual(before)
})

test('a flipped byte in any header is VARVE_CORRUPT from open or when read, and nothing is changed', async () => {
  const dir = await closedLog(texts(3_000, 100), { segmentBytes: 64 * 1024, compression: 'none' })
  for (const file of usedSegments(dir)) {
    const copy = copyOf(dir)
    const bytes = readFileSync(join(copy, file))
    bytes[40]! ^= 0x10
    writeFileSync(join(copy, file), bytes)
    const { error, report, unchanged } = await findings(copy)
    expect(error, file).toMatchObject({ code: 'VARVE_CORRUPT', segment: file })
    expect(report.ok, file).toBe(false)
    expect(unchanged, file).toBe(true)
  }
})

test('a zeroed page in the middle of a sealed and of the last segment is found', async () => {
  const dir = await closedLog(texts(3_000, 100), { segmentBytes: 64 * 1024, compression: 'none' })
  const files = usedSegments(dir)
  for (const file of [files[0]!, files.at(-1)!]) {
    const copy = copyOf(dir)
    const bytes = readFileSync(join(copy, file))
    bytes.fill(0, 8192, 12288)
    writeFileSync(join(copy, file), bytes)
    const { error, report } = await findings(copy)
    expect(report.ok, file).toBe(false)
    expect(error, file).toMatchObject({ code: 'VARVE_CORRUPT', segment: file })
  }
})
