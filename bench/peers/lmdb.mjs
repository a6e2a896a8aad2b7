/**
 * lmdb: dense integer keys, values as bytes, overlapping syncs (its default), pages not zeroed first. That is its fastest
 * durable way here: appending puts, larger pages, a writable map and synchronous transactions were each tried, and lost.
 * Its own LZ4 leaves values below 1,000 bytes alone, so it is off.
 */
import { open } from 'lmdb'

export function openStore(dir) {
  const db = open({ path: dir, encoding: 'binary', keyEncoding: 'uint32', noMemInit: true })
  let next = 0
  // `db.flushed` means the writes up to the moment when `then` is called, so it is called at once.
  const durable = () => db.flushed.then(() => {})
  return {
    append(value) {
      db.put(next++, value)
      return durable()
    },
    appendBatch(values) {
      // Puts of one turn of the event loop are one transaction.
      for (const value of values) db.put(next++, value)
      return durable()
    },
    async scan(touch) {
      for (const { value } of db.getRange({})) touch(value)
    },
    get: offset => db.get(offset),
    close: () => db.close(),
  }
}
