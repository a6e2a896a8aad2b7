import { expect, test } from 'vitest'
import { open } from '../../lib/index.js'
import { Child } from '../support/child.js'
import { newPath, openLog } from '../support/temp.js'

test('a second open in another process is VARVE_LOCKED with the pid of the holder; after SIGKILL of it, it succeeds', async () => {
  const dir = newPath()
  const holder = new Child('hold.mjs', [dir])
  expect(await holder.line()).toBe('open')
  const error: any = await open(dir).catch(error => error)
  expect(error).toMatchObject({ code: 'VARVE_LOCKED' })
  expect(error.message).toContain(`pid ${holder.process.pid}`)
  expect(error.message).not.toContain('this process')
  holder.kill('SIGKILL')
  await holder.ended
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  expect((await log.get(0))!.value).toBe(`held by ${holder.process.pid}`)
})

test('a second open in the same process is VARVE_LOCKED and says so', async () => {
  const dir = newPath()
  const [first, second] = await Promise.allSettled([open(dir), open(dir)])
  const opened = [first, second].filter(result => result.status === 'fulfilled')
  const refused = [first, second].filter(result => result.status === 'rejected')
  expect(opened).toHaveLength(1)
  expect(refused[0]!.reason).toMatchObject({
    code: 'VARVE_LOCKED',
    message: expect.stringMatching(new RegExp(`this process .*pid ${process.pid}`)),
  })
  await opened[0]!.value.close()
  await (await open(dir)).close()
})

test('lockTimeout waits for the other process to let go', async () => {
  const dir = newPath()
  const holder = new Child('hold.mjs', [dir])
  expect(await holder.line()).toBe('open')
  await expect(open(dir, { lockTimeout: 50 })).rejects.toMatchObject({ code: 'VARVE_LOCKED' })
  const waiting = openLog(dir, { lockTimeout: 60_000 })
  holder.say('close')
  expect((await waiting).head.size).toBe(1)
})

test('lockTimeout waits for another log of this process, too', async () => {
  const dir = newPath()
  const first = await open(dir)
  const waiting = openLog(dir, { lockTimeout: 60_000 })
  await first.append(Buffer.from('x'))
  await first.close()
  expect((await waiting).head.size).toBe(1)
})

test('readOnly needs no lock and sees what the writer, in another process, has made durable', async () => {
  const dir = newPath()
  const holder = new Child('hold.mjs', [dir])
  expect(await holder.line()).toBe('open')
  const log = await openLog<string>(dir, { encoding: 'utf8', readOnly: true })
  expect(log.head.size).toBe(1)
  for (let n = 1; n <= 20; n++) {
    holder.say(`record ${n}`)
    const receipt = JSON.parse(await holder.line())
    expect(receipt.offset).toBe(n)
    expect(await log.get(n)).toMatchObject({ offset: n, value: `record ${n}` })
    expect(log.head.size).toBeGreaterThan(n)
  }
  expect((await log.read().toArray()).length).toBe(21)
  await expect(log.append('x')).rejects.toMatchObject({ code: 'VARVE_READ_ONLY', outcome: 'none' })
  await expect(log.appendBatch(['x'])).rejects.toMatchObject({ code: 'VARVE_READ_ONLY', outcome: 'none' })
  holder.say('close')
  expect(await holder.line()).toBe('closed')
  expect((await log.read().toArray()).length).toBe(21)
})
