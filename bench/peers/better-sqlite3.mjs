/** better-sqlite3: a table with a dense integer key, WAL with synchronous=FULL, a transaction for each batch. Synchronous. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'

export function openStore(dir) {
  mkdirSync(dir, { recursive: true })
  const db = new Database(join(dir, 'log.db'))
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec('CREATE TABLE log (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL)')
  const insert = db.prepare('INSERT INTO log (payload) VALUES (?)')
  const select = db.prepare('SELECT payload FROM log WHERE seq = ?').pluck()
  const insertAll = db.transaction(values => {
    for (const value of values) insert.run(value)
  })
  return {
    append: async value => void insert.run(value),
    appendBatch: async values => insertAll(values),
    async scan(touch) {
      for (const payload of db.prepare('SELECT payload FROM log ORDER BY seq').pluck().iterate()) touch(payload)
    },
    get: offset => select.get(offset + 1),
    close: () => void db.close(),
  }
}
