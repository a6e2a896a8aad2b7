/** classic-level (LevelDB): 8-byte big-endian keys, `sync: true`, its own Snappy compression on (the default). */
import { ClassicLevel } from 'classic-level'

export async function openStore(dir) {
  const db = new ClassicLevel(dir, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  await db.open()
  let next = 0n
  const key = (number = next++) => {
    const bytes = Buffer.allocUnsafe(8)
    bytes.writeBigUInt64BE(number)
    return bytes
  }
  return {
    append: value => db.put(key(), value, { sync: true }),
    appendBatch: values =>
      db.batch(
        values.map(value => ({ type: 'put', key: key(), value })),
        { sync: true },
      ),
    async scan(touch) {
      const iterator = db.values()
      for (let values = await iterator.nextv(1_000); values.length > 0; values = await iterator.nextv(1_000)) {
        for (const value of values) touch(value)
      }
      await iterator.close()
    },
    get: offset => db.get(key(BigInt(offset))),
    close: () => db.close(),
  }
}
