/**
 * How well the two stages overlap: the pipe against the slower of its stages alone. Stage 1 alone is the same engine on a
 * disk that takes every byte and keeps none; stage 2 alone writes and syncs as many bytes in groups of the same size,
 * directly or through the page cache, whichever is faster. rust is the pipe without Node.
 */
import { appendBatches } from '../batches.mjs'

const SIZE = 4_000
const IN_FLIGHT = 4

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'the pipe, and each of its stages alone',
  unit: 'records/s',
  better: 'higher',
  sides: ['varve', 'rust', 'stage-1', 'device', 'varve-none', 'rust-none', 'stage-1-none', 'device-none'],
  baseline: 'varve',
  goals: ['', '-none'].flatMap(kind =>
    ['varve', 'rust'].map(pipe => ({
      what: `time of ${pipe}${kind} / of the slower stage alone`,
      of: [`${pipe}${kind}`, `stage-1${kind}`, `device${kind}`],
      value: (/** @type {Record<string, { value: number }>} */ rounds) =>
        Math.min(rounds[`stage-1${kind}`].value, rounds[`device${kind}`].value) / rounds[`${pipe}${kind}`].value,
      unit: '×',
      max: 1.15,
    })),
  ),
  // So many that filling and emptying the pipe, where nothing overlaps, is little of it.
  plan: quick => ({ rounds: quick ? 3 : 8, warmUp: 1, batches: quick ? 20 : 240 }),

  /** How large varve's groups and records are, for stage 2 alone to write as much. */
  async prepare({ side, store, events, plan }) {
    if (!store.log) return {}
    await appendBatches(store, events, { batches: plan.batches, size: SIZE, inFlight: IN_FLIGHT })
    const { storedBytes, groups, records } = store.log.stats()
    const kind = side === 'varve' ? '' : '-none'
    return { [`group${kind}`]: Math.round(storedBytes / groups), [`record${kind}`]: storedBytes / records }
  },

  round({ side, store, events, dir, found, plan: { batches } }) {
    if (!store.run) return appendBatches(store, events, { batches, size: SIZE, inFlight: IN_FLIGHT })
    const [name, none] = side.split(/(-none)$/)
    if (name === 'device') {
      const bytes = found[`record${none ?? ''}`]
      const args = { file: `${dir}/log`, block: found[`group${none ?? ''}`], bytes: Math.round(batches * SIZE * bytes) }
      const { value, ...round } = store.run('device', { ...args, way: 'fastest' })
      return { ...round, value: value / bytes }
    }
    const compression = none ? 'none' : 'lz4'
    const disk = name === 'rust' ? 'file' : 'none'
    return store.run('stages', { dir, disk, compression, size: SIZE, batches, inFlight: IN_FLIGHT })
  },
}
