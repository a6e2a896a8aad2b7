import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { open } from '../../lib/index.js'
import { copyOf, newPath, openLog, segments } from '../support/temp.js'

const FILE = '0000000001.seg'

/**
 * A log whose last write nothing attests yet, as a crash leaves it: copied while it is open, at a moment when page 0
 * has not been marked since the append before (the live mark does not count in a copy).
 */
async function unattested(last: (log: any) => Promise<unknown>) {
  const dir = newPath()
  const log = await openLog<string>(dir, { encoding: 'utf8', compression: 'none' })
  for (;;) {
    await log.append('acknowledged before')
    const before = readFileSync(join(dir, FILE))
    const size = log.head.size
    await last(log)
    const copy = copyOf(dir)
    const after = readFileSync(join(copy, FILE))
    if (!before.subarray(0, 4096).equals(after.subarray(0, 4096))) continue // marked meanwhile: take the next one
    const padded = Buffer.concat([before, Buffer.alloc(Math.max(0, after.length - before.length))])
    let start = 4096
    while (after[start] === padded[start]) start++
    let end = after.length
    while (after[end - 1] === 0) end--
    expect(end).toBeGreaterThan(start)
    return { copy, size, start: start - (start % 64), end }
  }
}

test.each([
  ['an append', (log: any) => log.append('the last record')],
  [
    'a batch of several frames',
    (log: any) => log.appendBatch(Array.from({ length: 5 }, (_, n) => `${n}`.repeat(9_000))),
  ],
])('%s torn at any byte: opens, keeps all before it, and says what it cut', { timeout: 300_000 }, async (_, last) => {
  const { copy, size, start, end } = await unattested(last)
  const image = readFileSync(join(copy, FILE))
  const whole = (await openCopy(copy, image)).size
  expect(whole).toBeGreaterThan(size)

  const step = end - start > 2_000 ? 997 : 1
  for (let at = start; at < end; at += step) {
    for (const how of ['cut', 'zeroed']) {
      const torn = Buffer.from(image)
      if (how === 'zeroed') torn.fill(0, at)
      const { size: found, recovery, saved } = await openCopy(copy, how === 'cut' ? torn.subarray(0, at) : torn)
      const where = `${how} at ${at} of ${start} to ${end}`
      expect(found, where).toBe(size)
      if (image.subarray(start, at).some(byte => byte !== 0)) {
        expect(recovery, where).toMatchObject({ segment: FILE, position: start })
        expect(recovery!.cutBytes, where).toBeGreaterThan(0)
        expect(saved, where).toBe(true)
      } else {
        expect(recovery, where).toBeUndefined()
      }
    }
  }
})

/** Opens a copy with other bytes in it, appends one record, opens it once more. */
async function openCopy(copy: string, bytes: Buffer) {
  const dir = copyOf(copy)
  truncateSync(join(dir, FILE), 0)
  writeFileSync(join(dir, FILE), bytes)
  const log = await open(dir, { encoding: 'utf8' })
  const { size } = log.head
  const { recovery } = log
  const saved = recovery !== undefined && existsSync(join(dir, recovery.savedAs))
  const values = (await log.read({ verify: true }).toArray()).map(({ value }) => value)
  expect(values.length).toBe(size)
  expect((await log.append('after the cut')).offset).toBe(size)
  await log.close()
  const again = await open(dir, { encoding: 'utf8' })
  expect(again.recovery).toBeUndefined()
  expect((await again.read({ verify: true }).toArray()).map(({ value }) => value)).toEqual([...values, 'after the cut'])
  await again.close()
  return { size, recovery, saved }
}

test('a log closed cleanly was attested: cutting its tail is VARVE_CORRUPT, not a torn write', async () => {
  const dir = newPath()
  const log = await openLog<string>(dir, { encoding: 'utf8', compression: 'none' })
  for (let n = 0; n < 20; n++) await log.append(`record ${n}`)
  await log.close()
  const bytes = readFileSync(join(dir, segments(dir)[0]!))
  let end = bytes.length
  while (bytes[end - 1] === 0) end--
  truncateSync(join(dir, FILE), end - 64)
  await expect(open(dir, { encoding: 'utf8' })).rejects.toMatchObject({
    code: 'VARVE_CORRUPT',
    segment: FILE,
    position: expect.any(Number),
  })
})
