import { expect, test } from 'vitest'
import { open } from '../../lib/index.js'
import { varve } from '../support/cli.js'
import { closedLog, newPath, texts } from '../support/temp.js'

test('segments, records, bytes, ratio, head and times, for people and for programs', async () => {
  const dir = await closedLog(texts(3_000, 100), { segmentBytes: 64 * 1024, compression: 'none' })
  const { code, stdout } = await varve(['info', dir, '--json'])
  expect(code).toBe(0)
  const info = JSON.parse(stdout)
  const counts = info.segments.map((segment: { count: number }) => segment.count)
  expect(counts.reduce((sum: number, count: number) => sum + count, 0)).toBe(3_000)
  expect(info).toMatchObject({ encoding: 'utf8', keyed: false, firstOffset: 0, head: { size: 3_000 }, exact: true })
  expect(info.payloadBytes).toBe(300_000)
  expect(info.ratio).toBeGreaterThan(1)
  expect(info.lastTime).toBeGreaterThanOrEqual(info.firstTime)
  const text = (await varve(['info', dir])).stdout
  for (const word of ['records    3,000', 'ratio ', 'times ', 'encoding   utf8', 'writer     none', info.head.hash]) {
    expect(text).toContain(word)
  }
  expect(text).toMatch(/^0000000001\.seg .* sealed$/m)
  expect(text).toMatch(/^[0-9]{10}\.seg .* active$/m) // nobody has the log open, so no segment is called open
  const { id, size, hash } = info.head
  expect((await varve(['info', dir, '--head'])).stdout).toBe(`${id}:${size}:${hash}\n`)
})

test('an empty log has no times', async () => {
  const dir = newPath()
  await (await open(dir)).close()
  const { code, stdout } = await varve(['info', dir, '--json'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ head: { size: 0 } })
  expect((await varve(['info', dir])).stdout).toContain('records    0\n')
})
