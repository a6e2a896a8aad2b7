import { expect, test } from 'vitest'
import { Child } from '../support/child.js'
import { newPath } from '../support/temp.js'

test.each(['terminate', 'exit', 'throw'])('%s: no acknowledged record is lost and the log can be opened', async how => {
  const ended = await new Child('worker-main.mjs', [newPath(), how]).ended
  expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null })
  const result = JSON.parse(ended.lines[0]!)
  expect(result.lost).toEqual([])
  expect(result.acknowledged).toBeGreaterThanOrEqual(50)
  expect(result.next).toBe(result.records)
  if (how !== 'terminate') expect(result.last).toBe('accepted at exit')
})
