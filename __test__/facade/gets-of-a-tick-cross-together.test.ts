import { expect, test } from 'vitest'
import { openWith } from '../../lib/open.js'
import { errorOf, openFake, tick } from '../support/fake-log.js'

async function filled(count: number) {
  const { addon, log } = await openFake<string>({ encoding: 'utf8' })
  for (let n = 0; n < count; n++) void log.append(`${n}`)
  await tick()
  addon.sync()
  return { addon, log }
}

const valuesOf = async (gets: Promise<any>[]) => (await Promise.all(gets)).map(record => record?.value)

test('what is asked for in one tick is one call, and each gets their own record', async () => {
  const { addon, log } = await filled(10)
  const gets = [3, 1, 3, 9, 0].map(offset => log.get(offset))
  expect(addon.gets).toHaveLength(0)
  expect(await Promise.all(gets)).toEqual(
    [3, 1, 3, 9, 0].map(offset => ({ offset, time: 1_000 + offset, value: `${offset}` })),
  )
  expect(addon.gets.map(get => get.offsets)).toEqual([[3, 1, 3, 9, 0]])
  expect(await log.get(10)).toBeUndefined()
  expect(addon.gets).toHaveLength(1)
})

test('many cross in parts, of which each grows with the gets in flight, and the rest at the end of the tick', async () => {
  const { addon, log } = await filled(200)
  addon.autoRead = false
  const offsets = Array.from({ length: 200 }, (_, index) => (index * 37) % 200)
  const gets = offsets.map(offset => log.get(offset))
  const sizes = () => addon.gets.map(get => get.offsets.length)
  expect(sizes()).toEqual([16, 16, 16, 16, 21, 28, 37, 49])
  await tick()
  expect(sizes()).toEqual([16, 16, 16, 16, 21, 28, 37, 49, 1])
  for (const { request } of [...addon.gets]) addon.answerGet(request)
  expect(await valuesOf(gets)).toEqual(offsets.map(String))
  const few = offsets.slice(0, 15).map(offset => log.get(offset))
  expect(sizes()).toHaveLength(9)
  await tick()
  expect(sizes().slice(9)).toEqual([15])
  addon.answerGet(addon.gets[9]!.request)
  expect(await valuesOf(few)).toEqual(offsets.slice(0, 15).map(String))
})

test('what an answer leaves out is asked for again', async () => {
  const { addon, log } = await filled(10)
  addon.autoRead = false
  const gets = [5, 6, 7].map(offset => log.get(offset))
  await tick()
  addon.answerGet(addon.gets[0]!.request, 1)
  await tick()
  expect(addon.gets[1]!.offsets).toEqual([6, 7])
  addon.answerGet(addon.gets[1]!.request)
  expect(await valuesOf(gets)).toEqual(['5', '6', '7'])
})

test('where a call fails, each record is asked for alone and gets its own error', async () => {
  const { addon, log } = await filled(10)
  addon.autoRead = false
  const gets = [5, 6, 7].map(offset => log.get(offset))
  const error = errorOf(gets[1]!)
  await tick()
  addon.fail(addon.gets[0]!.request, { code: 'VARVE_CORRUPT', message: 'bad', offset: 6 })
  await tick()
  expect(addon.gets.slice(1).map(get => get.offsets)).toEqual([[5], [6], [7]])
  addon.answerGet(addon.gets[1]!.request)
  addon.fail(addon.gets[2]!.request, { code: 'VARVE_CORRUPT', message: 'bad', offset: 6 })
  addon.answerGet(addon.gets[3]!.request)
  expect(await valuesOf([gets[0]!, gets[2]!])).toEqual(['5', '7'])
  expect(await error).toMatchObject({ code: 'VARVE_CORRUPT', offset: 6 })
})

test('what was asked for before close is sent before it', async () => {
  const { addon, log } = await filled(10)
  const get = log.get(4)
  const closing = log.close()
  expect(addon.gets).toHaveLength(1)
  expect((await get)?.value).toBe('4')
  await tick()
  addon.finishClose()
  await closing
  expect(await errorOf(log.get(4))).toMatchObject({ code: 'VARVE_CLOSED' })
})

test('close waits for what was asked before it, also where an answer makes it ask again', async () => {
  const { addon, log } = await filled(10)
  addon.autoRead = false
  const gets = [4, 5, 6, 7].map(offset => log.get(offset))
  const closing = log.close()
  expect(await errorOf(log.get(4))).toMatchObject({ code: 'VARVE_CLOSED', path: '/nowhere' })
  addon.answerGet(addon.gets[0]!.request, 1)
  await tick()
  expect(addon.gets.map(get => get.offsets)).toEqual([[4, 5, 6, 7], [5, 6, 7]]) // biome-ignore format: one call after another
  addon.fail(addon.gets[1]!.request, { code: 'VARVE_CORRUPT', message: 'bad', offset: 6 })
  await tick()
  expect(addon.gets.slice(2).map(get => get.offsets)).toEqual([[5], [6], [7]])
  addon.answerGet(addon.gets[2]!.request)
  addon.answerGet(addon.gets[4]!.request)
  await tick()
  expect(addon.closed).toBe(false)
  const error = errorOf(gets[2]!)
  addon.fail(addon.gets[3]!.request, { code: 'VARVE_CORRUPT', message: 'bad', offset: 6 })
  expect(await error).toMatchObject({ code: 'VARVE_CORRUPT', offset: 6 })
  expect(await valuesOf([gets[0]!, gets[1]!, gets[3]!])).toEqual(['4', '5', '7'])
  await tick()
  expect(addon.closed).toBe(true)
  addon.finishClose()
  await closing
})

test('a get that must look first where the writer is, is answered all the same', async () => {
  const { addon, log } = await openFake<string>({ encoding: 'utf8', readOnly: true })
  addon.records = ['0', '1'].map(text => Buffer.from(text))
  addon.durableSize = 2
  const get = log.get(1)
  const closing = log.close()
  expect((await get)?.value).toBe('1')
  await tick()
  addon.finishClose()
  await closing
})

test('a close that is asked for between an answer and what that makes a get ask again waits for it', async () => {
  const { addon, log } = await filled(10)
  addon.autoRead = false
  const gets = [4, 5].map(offset => log.get(offset))
  const closing = log.append('10').then(() => log.close())
  await tick()
  addon.together(() => {
    addon.sync()
    addon.answerGet(addon.gets[0]!.request, 1)
  })
  await tick()
  expect(addon.gets.map(get => get.offsets)).toEqual([[4, 5], [5]])
  expect(addon.closed).toBe(false)
  addon.answerGet(addon.gets[1]!.request)
  expect(await valuesOf(gets)).toEqual(['4', '5'])
  await tick()
  addon.finishClose()
  await closing
})

test('so does one between the look where the writer is and what it was for', async () => {
  const { addon, log } = await filled(1)
  const opening = openWith(() => addon, '/elsewhere', { encoding: 'utf8', readOnly: true })
  addon.answerOpen({ log: 2, size: 1 })
  const follower = await opening
  addon.autoRead = false
  const calls = [follower.get(1), follower.offsetAt(1_001)]
  const closing = log.append('1').then(() => follower.close())
  await tick()
  addon.together(() => {
    addon.sync()
    for (const request of addon.refreshes) addon.done(request, { size: 2, hash: Buffer.alloc(32) })
  })
  await tick()
  expect(addon.closed).toBe(false)
  addon.answerGet(addon.gets[0]!.request)
  expect(await Promise.all(calls)).toEqual([{ offset: 1, time: 1_001, value: '1' }, 1])
  await tick()
  addon.finishClose()
  await closing
})
