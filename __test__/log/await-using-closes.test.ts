import { Script } from 'node:vm'
import { expect, test } from 'vitest'
import { open } from '../../lib/index.js'
import { newPath, textsIn } from '../support/temp.js'

test('a log is closed at the end of its block, also when the block throws', async () => {
  const dir = newPath()
  const failure = new Error('in the block')
  const block = async () => {
    await using log = await open(dir, { encoding: 'utf8' })
    void log.append('accepted, not awaited')
    throw failure
  }
  await expect(block()).rejects.toBe(failure)
  expect(await textsIn(dir)).toEqual(['accepted, not awaited'])
})

test('a reader and a tail end with their block', async () => {
  await using log = await open(newPath(), { encoding: 'utf8' })
  await log.appendBatch(['a', 'b', 'c'])
  let reader: ReturnType<typeof log.read>
  let tail: ReturnType<typeof log.tail>
  {
    await using a = log.read()
    await using b = log.tail({ from: 0 })
    await Promise.all([a.next(), b.next()])
    reader = a
    tail = b
  }
  expect(await reader.next()).toEqual({ done: true, value: undefined })
  expect(await tail.next()).toEqual({ done: true, value: undefined })
})

test('every supported runtime has the symbol, and those that parse the syntax run it', async () => {
  await expect(open(newPath()).then(log => log[Symbol.asyncDispose]())).resolves.toBeUndefined()
  const source = `(async (open, dir) => { await using log = await open(dir); return log })`
  let use: (o: typeof open, dir: string) => ReturnType<typeof open>
  try {
    use = new Script(source).runInThisContext()
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError)
    expect(Number(process.versions.node.split('.')[0])).toBeLessThan(24)
    return
  }
  const log = await use(open, newPath())
  await expect(log.flush()).rejects.toMatchObject({ code: 'VARVE_CLOSED' })
})
