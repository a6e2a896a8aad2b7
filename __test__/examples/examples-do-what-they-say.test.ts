/** Each example runs by one command, and leaves what it promises. */
import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { open } from 'varve'
import { expect, test } from 'vitest'
import { Child } from '../support/child.js'
import { nodeWithSqlite } from '../support/newer-node.js'
import { newPath } from '../support/temp.js'

const examples = resolve(__dirname, '../../examples')
const example = (path: string, ...args: string[]) => new Child(join(examples, path), args)

test('the audit trail records each request before it is answered, and a SIGTERM closes it', async () => {
  const dir = newPath()
  const server = example('audit-trail/server.mjs', '--port', '0', dir)
  const url = (await server.line()).split(' ').at(-1)!
  const placed = await fetch(`${url}/invoices`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-user': 'ada' },
    body: JSON.stringify({ amount: 42 }),
  })
  expect(placed.status).toBe(201)
  const head: any = await (await fetch(`${url}/audit/head`)).json()
  expect(head.size).toBe(1) // the record of the request before: its answer came after it was durable
  const verified = await fetch(`${url}/audit/verify`)
  expect(await verified.json()).toEqual({ ok: true, records: 2, problems: [] })

  server.kill('SIGTERM')
  expect(await server.ended).toMatchObject({ code: 0, stderr: '' })
  const log = await open<any>(dir, { encoding: 'json', expectHead: head })
  const records = await log.read().toArray()
  await log.close()
  expect(records.map(({ value }) => [value.actor, value.method, value.url, value.status])).toEqual([
    ['ada', 'POST', '/invoices', 201],
    ['anonymous', 'GET', '/audit/head', 200],
    ['anonymous', 'GET', '/audit/verify', 200],
  ])
  expect(records[0]!.value.details).toEqual({ invoice: 1, body: { amount: 42 } })
})

test('the pino transport stores every line', async () => {
  const ended = await example('pino-transport/demo.mjs', newPath()).ended
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(ended.lines[0]).toMatch(/^10000 lines, the last one: \{.*"number":9999,/)
  expect(ended.lines[1]).toBe('verified: true')
})

test('worker threads append to logs of their own', async () => {
  const ended = await example('worker-logs/main.mjs', newPath(), '3').ended
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  expect(ended.lines[0]).toBe('3 workers appended 5000, 5000, 5000 records')
  expect(ended.lines[1]).toMatch(/^15000 records verified; the newest came from worker [012]$/)
})

test('the outbox gives every committed order to the log exactly once, however often it is killed', context => {
  const node = nodeWithSqlite()
  if (node === undefined) return context.skip('needs node:sqlite, and npm has no newer Node for this system')
  const { status, stdout, stderr } = spawnSync(node, [join(examples, 'outbox/demo.mjs'), newPath()], {
    encoding: 'utf8',
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const [, orders, events] = /^10 kills, (\d+) orders committed, (\d+) events in the log$/m.exec(stdout)!
  expect(orders).toBe(events)
  expect(Number(orders)).toBeGreaterThan(1_000)
  expect(stdout).toContain(
    'exactly once and in order: true; every order that was reported is there: true; verified: true',
  )
}, 180_000)
