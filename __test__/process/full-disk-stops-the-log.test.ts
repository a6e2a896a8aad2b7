import { createHash } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Log, type OpenOptions, open } from '../../lib/index.js'
import { Child } from '../support/child.js'
import { smallDisk } from '../support/mount.js'
import { newPath } from '../support/temp.js'

// Where nothing can be mounted, a limit on the size of files stands for a full disk: EFBIG in place of ENOSPC.
const limited = ['/bin/sh', '-c', 'ulimit -f 2048; exec "$0" "$@"']

test.skipIf(process.platform === 'win32')(
  'a file that may not grow: VARVE_IO for those waiting, VARVE_FAILED later, reads go on, reopening recovers',
  async () => {
    const dir = newPath()
    const full = await appendUntilFull(dir, {}, 'EFBIG', limited)
    await expectRecovered(dir, full)
  },
)

test.for<['tmpfs' | 'ext4', string, OpenOptions]>([
  ['tmpfs', 'within a segment', {}],
  ['tmpfs', 'while rotating', { segmentBytes: 64 * 1024 }],
  ['tmpfs', "while rotating with durability 'os'", { segmentBytes: 64 * 1024, durability: 'os' }],
  ['ext4', 'within a segment', {}],
  ['ext4', 'while rotating', { segmentBytes: 64 * 1024 }],
])(
  'a full %s, %s: the same with ENOSPC, and with room again everything acknowledged is there',
  async ([kind, , options], context) => {
    const disk = smallDisk(context, kind, 8)
    const ballast = join(disk, 'ballast')
    writeFileSync(ballast, Buffer.alloc(1 << 20, 1))
    const dir = join(disk, 'log')
    const full = await appendUntilFull(dir, options, 'ENOSPC')

    // Reading needs no room.
    const reading = await open(dir, { readOnly: true })
    expect(await digestOf(reading, full.acknowledged)).toBe(full.digest)
    await reading.close()
    // Recovery may need some: then it says so, and has lost nothing.
    await open(dir).then(
      log => log.close(),
      error => expect(error).toMatchObject({ code: 'VARVE_IO', cause: { code: 'ENOSPC' } }),
    )
    rmSync(ballast)
    await expectRecovered(dir, full)
  },
)

interface Full {
  acknowledged: number
  digest: string
}

/** Lets a child fill the disk, and checks what each call does from then on. */
async function appendUntilFull(dir: string, options: OpenOptions, cause: string, prefix?: string[]): Promise<Full> {
  const ended = await new Child('full.mjs', [dir, JSON.stringify(options)], prefix).ended
  expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null })
  const said = JSON.parse(ended.lines[0]!)
  expect(said.first).toMatchObject({ code: 'VARVE_IO', outcome: 'unknown', cause: { name: 'Error', code: cause } })
  expect(said.first.cause.errno).toBeLessThan(0)
  expect(said.first.cause.syscall).toEqual(expect.any(String))
  expect(said.failureIsFirst).toBe(true)
  expect(said.pendingBytes).toBe(0)
  for (const call of ['append', 'appendBatch', 'appendAll']) {
    const failed = { code: 'VARVE_FAILED', outcome: 'none', cause: { code: 'VARVE_IO' } }
    expect(said[call].error, call).toMatchObject(failed)
  }
  for (const call of ['flush', 'flushSync']) {
    expect(said[call].error, call).toMatchObject({ code: 'VARVE_FAILED', cause: { code: 'VARVE_IO' } })
  }
  expect(said.drained).toEqual({ value: null })
  expect(said.acknowledged).toBeGreaterThan(0)
  expect(said.get).toEqual({ value: 10_000 })
  expect(said.read).toEqual({ value: said.acknowledged })
  expect(said.head).toBe(said.acknowledged)
  expect(said.close.error).toMatchObject({ code: expect.stringMatching(/^VARVE_(FAILED|IO)$/) })
  expect(said.closeAgain).toEqual({ value: null })
  expect(said.appendAfterClose.error).toMatchObject({ code: 'VARVE_CLOSED', outcome: 'none' })
  return said
}

async function expectRecovered(dir: string, full: Full) {
  const log = await open(dir)
  try {
    expect(await digestOf(log, full.acknowledged)).toBe(full.digest)
    expect((await log.read({ verify: true }).toArray()).length).toBe(log.head.size)
    expect((await log.append(Buffer.from('room again'))).count).toBe(1)
    expect((await log.verify()).problems).toEqual([])
  } finally {
    await log.close() // also when it fails: an open file keeps the disk from being unmounted
  }
}

async function digestOf(log: Log<Uint8Array, Buffer>, records: number): Promise<string> {
  const digest = createHash('sha256')
  expect(log.head.size).toBeGreaterThanOrEqual(records)
  for await (const { value } of log.read({ to: records, verify: true })) digest.update(value)
  return digest.digest('hex')
}
