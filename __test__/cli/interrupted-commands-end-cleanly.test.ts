import { once } from 'node:events'
import { expect, test } from 'vitest'
import { inspect, open } from '../../lib/index.js'
import { ended, start } from '../support/cli.js'
import { closedLog, newPath, texts } from '../support/temp.js'

/** Resolves when the log in `dir` has `count` durable records. */
async function waitFor(dir: string, count: number): Promise<void> {
  for (;;) {
    const info = await inspect(dir).catch(() => undefined)
    if (info !== undefined && info.head.size >= count) return
    await new Promise(setImmediate)
  }
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('append ends at %s with its log closed and says what is durable', async (signal, code) => {
  const dir = newPath()
  const child = start(['append', dir, '--format', 'lines'])
  const end = ended(child)
  child.stdin!.write('one\ntwo\nunfinished')
  await waitFor(dir, 2)
  child.kill(signal)
  const run = await end
  expect(run).toEqual({
    code,
    stdout: '',
    stderr: 'varve: interrupted; 2 records before that are durable, at offsets 0 to 1\n',
  })
  const log = await open(dir, { encoding: 'utf8' })
  expect(log.recovery).toBeUndefined()
  expect((await log.read().toArray()).map(({ value }) => value)).toEqual(['one', 'two'])
  await log.close()
})

test('for programs the interruption is in the summary', async () => {
  const dir = newPath()
  const child = start(['append', dir, '--json'])
  const end = ended(child)
  child.stdin!.write('1\n')
  await waitFor(dir, 1)
  child.kill('SIGINT')
  const { code, stdout } = await end
  expect(code).toBe(130)
  expect(JSON.parse(stdout)).toMatchObject({ offset: 0, count: 1, interrupted: 'SIGINT' })
})

test('cat ends at SIGINT though nobody reads what it prints', async () => {
  const dir = await closedLog(texts(50_000, 100))
  const child = start(['cat', dir])
  child.stdout!.pause()
  await once(child.stdout!, 'readable') // it has begun, and will fill the pipe
  child.kill('SIGINT')
  // Output that is stuck leaves only the signal itself; a shell shows 130 for both.
  const [code, signal] = await once(child, 'exit')
  expect(code ?? signal).toBeOneOf([130, 'SIGINT'])
})
