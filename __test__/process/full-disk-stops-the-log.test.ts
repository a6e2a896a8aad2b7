import { expect, test } from 'vitest'
import { Child } from '../support/child.js'
import { newPath, openLog } from '../support/temp.js'

// A limit on the size of files stands for a full disk: the write fails with EFBIG in place of ENOSPC.
const limited = ['/bin/sh', '-c', 'ulimit -f 2048; exec "$0" "$@"']

test.skipIf(process.platform === 'win32')(
  'a write that fails: VARVE_IO for those waiting, VARVE_FAILED later, reads go on, reopening recovers',
  async () => {
    const dir = newPath()
    const ended = await new Child('full.mjs', [dir], limited).ended
    expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null })
    const said = JSON.parse(ended.lines[0]!)
    expect(said.first).toMatchObject({ code: 'VARVE_IO', outcome: 'unknown', cause: { name: 'Error', code: 'EFBIG' } })
    expect(said.first.cause.errno).toBeLessThan(0)
    expect(said.first.cause.syscall).toEqual(expect.any(String))
    expect(said.failureIsFirst).toBe(true)
    expect(said.pendingBytes).toBe(0)
    for (const call of ['append', 'appendBatch', 'appendAll']) {
      expect(said[call].error, call).toMatchObject({
        code: 'VARVE_FAILED',
        outcome: 'none',
        cause: { code: 'VARVE_IO' },
      })
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

    const log = await openLog(dir)
    expect(log.head.size).toBeGreaterThanOrEqual(said.acknowledged)
    expect((await log.read({ verify: true }).toArray()).length).toBe(log.head.size)
    expect((await log.append(Buffer.from('room again'))).count).toBe(1)
    expect((await log.verify()).problems).toEqual([])
  },
)
