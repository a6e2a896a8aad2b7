/**
 * A transactional outbox: business data and the events about it change in one SQLite transaction, and a relay moves the events, in
 * order and exactly once, into a varve log, from which consumers read.
 *
 * What makes it exactly once, wherever the process dies: the log is the truth about what was moved. Every record carries the
 * number of its outbox row, the batch is atomic, and rows are deleted only after the receipt. A row that is still there
 * although its record is durable is recognized by its number when the relay starts again.
 */
// @ts-expect-error: node:sqlite is newer than the oldest Node that varve runs on, whose types are used here
import { DatabaseSync } from 'node:sqlite'
import { open } from 'varve'

/** @typedef {{ row: number, event: unknown }} OutboxRecord */

/** Rows moved in one batch. */
const BATCH = 500

/** @param {string} file */
export function openDatabase(file) {
  const database = new DatabaseSync(file)
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS outbox (row INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL);
  `)
  return database
}

/**
 * Places an order and says so, both or neither.
 *
 * @param {DatabaseSync} database
 * @param {string} item
 */
export function placeOrder(database, item) {
  database.exec('BEGIN IMMEDIATE')
  try {
    const { lastInsertRowid: id } = database.prepare('INSERT INTO orders (item) VALUES (?)').run(item)
    const event = JSON.stringify({ type: 'order.placed', id: Number(id), item })
    database.prepare('INSERT INTO outbox (event) VALUES (?)').run(event)
    database.exec('COMMIT')
    return Number(id)
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

/**
 * Opens the log and takes up where it ends.
 *
 * @param {string} dir
 */
export async function openRelay(dir) {
  /** @type {import('varve').Log<OutboxRecord>} */
  const log = await open(dir, { encoding: 'json' })
  const { size } = log.head
  let moved = size === 0 ? 0 : ((await log.get(size - 1))?.value.row ?? 0)

  /**
   * Moves what waits; returns how many events.
   *
   * @param {DatabaseSync} database
   */
  async function move(database) {
    const select = database.prepare('SELECT row, event FROM outbox WHERE row > ? ORDER BY row LIMIT ?')
    const forget = database.prepare('DELETE FROM outbox WHERE row <= ?')
    let count = 0
    for (;;) {
      const rows = /** @type {{ row: number, event: string }[]} */ (/** @type {unknown} */ (select.all(moved, BATCH)))
      const last = rows.at(-1)
      if (last === undefined) {
        forget.run(moved) // also those whose deletion a crash prevented
        return count
      }
      await log.appendBatch(rows.map(({ row, event }) => ({ row, event: JSON.parse(event) })))
      moved = last.row
      count += rows.length
      forget.run(moved)
    }
  }

  return { log, move, close: () => log.close() }
}
