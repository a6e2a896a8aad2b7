/** The process that the demo kills: places orders and relays their events, for ever. Says each committed order on stdout. */
import { writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { openDatabase, openRelay, placeOrder } from './outbox.mjs'

const [file, dir] = process.argv.slice(2)
const database = openDatabase(file)
const relay = await openRelay(dir)
for (;;) {
  for (let count = 0; count < 20; count++) {
    // Synchronous: what was said has been committed, whatever happens next.
    writeSync(1, `${placeOrder(database, `item ${count}`)}\n`)
  }
  await relay.move(database)
  await setImmediate()
}
