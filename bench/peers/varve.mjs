/** varve, as built in this repository: defaults, LZ4 unless the workload says otherwise. */
import { open } from '../../dist/index.js'

export async function openStore(dir, { compression = 'lz4', cacheBytes } = {}) {
  const log = await open(dir, { compression, cacheBytes })
  return {
    log,
    open,
    append: value => log.append(value),
    appendBatch: values => log.appendBatch(values),
    async scan(touch) {
      for await (const record of log.read()) touch(record.value)
    },
    async scanChunks(touch) {
      for await (const chunk of log.read().chunks()) {
        for (let index = 0; index < chunk.length; index++) touch(chunk.bytes(index))
      }
    },
    get: async offset => (await log.get(offset)).value,
    close: () => log.close(),
  }
}
