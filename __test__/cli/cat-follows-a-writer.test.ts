import { expect, test } from 'vitest'
import { ended, start, varve } from '../support/cli.js'
import { newPath, openLog } from '../support/temp.js'

test('records of another process come as they become durable, until SIGINT', async () => {
  const dir = newPath()
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  await log.append('zero')
  await log.append('one')
  const child = start(['cat', dir, '--follow', '--from', '1'])
  const end = ended(child)
  const seen = (text: string) =>
    new Promise<void>(resolve => {
      let got = ''
      child.stdout!.on('data', piece => {
        got += piece
        if (got.includes(text)) resolve()
      })
    })
  const [first, last] = [seen('one\n'), seen('three\n')]
  await first
  await log.appendBatch(['two', 'three'])
  await last
  child.kill('SIGINT')
  expect(await end).toEqual({ code: 130, stdout: 'one\ntwo\nthree\n', stderr: '' })
})

test('a limit ends it; there is no following backwards', async () => {
  const dir = newPath()
  const log = await openLog<string>(dir, { encoding: 'utf8' })
  await log.appendBatch(['a', 'b', 'c'])
  expect(await varve(['cat', dir, '--follow', '--limit', '2'])).toEqual({ code: 0, stdout: 'a\nb\n', stderr: '' })
  expect(await varve(['cat', dir, '--follow', '--reverse'])).toMatchObject({ code: 2, stdout: '' })
})
