/**
 * `node examples/outbox/demo.mjs [FOLDER]`: kills the service with SIGKILL ten times in the middle of its work, then checks that
 * the event of every committed order is in the log exactly once and in order. Needs node:sqlite (Node 22.13 or newer).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const dir = process.argv[2] ?? './data/outbox'
const kills = 10
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 13)) {
  console.error(
    `this example uses node:sqlite, which Node ${process.versions.node} lacks: run it with Node 22.13 or newer`,
  )
  process.exit(1)
}
const { openDatabase, openRelay } = await import('./outbox.mjs')

mkdirSync(dir, { recursive: true })
const paths = [join(dir, 'orders.db'), join(dir, 'events')]
const committed = new Set()
for (let kill = 0; kill < kills; kill++) {
  const service = spawn(process.execPath, [fileURLToPath(new URL('./service.mjs', import.meta.url)), ...paths], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(service, 'exit')
  const lines = createInterface({ input: service.stdout })
  // A different number of orders each time, so that death finds it at different points of its work.
  const orders = 50 + kill * 37
  let seen = 0
  lines.on('line', line => {
    committed.add(Number(line))
    if (++seen === orders) service.kill('SIGKILL')
  })
  const [code, signal] = await exited
  if (signal !== 'SIGKILL') throw new Error(`the service ended by itself, with ${signal ?? code}`)
}

// One more start, which finishes what the last death interrupted.
const database = openDatabase(paths[0])
const relay = await openRelay(paths[1])
await relay.move(database)
const orders = /** @type {{ id: number }[]} */ (
  /** @type {unknown} */ (database.prepare('SELECT id FROM orders ORDER BY id').all())
)
const events = await relay.log.read().toArray()
const { ok } = await relay.log.verify()
await relay.close()
database.close()

const inOrder = events.map(({ value }) => /** @type {{ id: number }} */ (value.event).id)
const exactly = inOrder.length === orders.length && orders.every(({ id }, index) => id === inOrder[index])
const known = [...committed].every(id => orders.some(order => order.id === id))
console.log(`${kills} kills, ${orders.length} orders committed, ${events.length} events in the log`)
console.log(
  `each exactly once and in order: ${exactly}; every order that was reported is there: ${known}; verified: ${ok}`,
)
if (!exactly || !known || !ok) process.exit(1)
