import { once } from 'node:events'
import { expect, test } from 'vitest'
import { start } from '../support/cli.js'
import { closedLog, texts } from '../support/temp.js'

test.each([
  [['cat']],
  [['cat', '--json']],
  [['cat', '--raw']],
  [['export']],
  [['export', '--format', 'length-prefixed']],
])('%j stops quietly when its reader has seen enough', async ([name, ...options]) => {
  const dir = await closedLog(texts(50_000, 100))
  const child = start([name!, dir, ...options])
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  await once(child.stdout!, 'readable')
  child.stdout!.read(10)
  child.stdout!.destroy()
  const [code] = await once(child, 'exit')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
})
