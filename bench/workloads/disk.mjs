/**
 * Bytes on the disk for each byte of payload, everything counted that is in the folder after closing: these events in
 * batches of 4,000, and beside them, for varve, the 200,000 flights of the demo as JSON in batches of 1,000.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { figure } from '../goals.mjs'

const SIZE = 4_000

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'bytes on disk a payload byte',
  unit: 'bytes',
  better: 'lower',
  sides: ['varve', 'varve-none', 'lmdb', 'fs', 'better-sqlite3', 'classic-level'],
  baseline: 'lmdb',
  goals: [figure('varve', 'varve', 'bytes a payload byte', { max: 0.35 })],
  plan: quick => ({ rounds: 1, warmUp: 0, events: quick ? 100_000 : 400_000 }),

  async round({ store, events, dir, side, plan }) {
    for (let start = 0; start < plan.events; start += SIZE) {
      await store.appendBatch(Array.from({ length: SIZE }, (_, index) => events[(start + index) % events.length]))
    }
    await store.close()
    const value = folderBytes(dir) / (plan.events * 256)
    return { value, records: plan.events, extra: side === 'varve' ? await flights(store, `${dir}-flights`) : undefined }
  },
}

/**
 * @param {import('../types.d.ts').Store} store
 * @param {string} dir
 */
async function flights({ open }, dir) {
  if (!open) throw new Error('only varve has flights')
  // The package does not export its data files, hence the path.
  const file = new URL('../../node_modules/vega-datasets/data/flights-200k.json', import.meta.url)
  const records = JSON.parse(readFileSync(file, 'utf8'))
  const log = await open(dir, { encoding: 'json' })
  for (let start = 0; start < records.length; start += 1_000) await log.appendBatch(records.slice(start, start + 1_000))
  const { payloadBytes } = log.stats()
  await log.close()
  return { 'flights: bytes a payload byte': folderBytes(dir) / payloadBytes }
}

/** @param {string} dir */
function folderBytes(dir) {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).blocks * 512, 0)
}
