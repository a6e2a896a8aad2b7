/** Payloads from 16 B to 1 MiB in batches of at most 1 MiB, four in flight: bytes a second must not fall as they grow. */
import { appendBatches } from '../batches.mjs'
import { ratio } from '../goals.mjs'

const MIB = 1 << 20
// 1,100: a little more than a chunk of BLAKE3, where hashing has another way.
const sizes = [16, 64, 256, 1 << 10, 1_100, 4 << 10, 16 << 10, 256 << 10, MIB]
const varve = sizes.map(size => `varve@${size}`)
const last = `varve@${MIB}`
const lastNone = `varve-none@${MIB}`

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'payloads of 16 B to 1 MiB',
  unit: 'MB/s',
  better: 'higher',
  // lz4: bodies as large as the payload, on one core. device: blocks of 1 MiB.
  sides: [...varve, lastNone, `lz4@${MIB}`, 'device'],
  baseline: 'varve@256',
  goals: [
    {
      what: 'least step from one size to the next larger one',
      of: varve,
      value: rounds => varve.slice(1).map((side, index) => rounds[side].value / rounds[varve[index]].value),
      unit: '×',
      min: 1,
    },
    {
      what: '1 MiB / the slower of LZ4 on one core and the device',
      of: [last, `lz4@${MIB}`, 'device'],
      value: rounds => rounds[last].value / Math.min(rounds[`lz4@${MIB}`].value, rounds.device.value / share(rounds)),
      unit: '×',
      min: 1 / 1.3,
    },
    ratio('1 MiB, no compression / the device', [lastNone, 'device'], { min: 1 / 1.3 }),
  ],
  plan: quick => ({
    rounds: quick ? 3 : 8,
    warmUp: 1,
    bytesMax: quick ? 16 * MIB : 64 * MIB,
    recordsMax: quick ? 40_000 : 160_000,
  }),

  async round({ side, store, events, dir, plan: { bytesMax, recordsMax } }) {
    const mb = (/** @type {import('../types.d.ts').Round} */ round, /** @type {number} */ bytes) => ({
      ...round,
      value: (round.value * bytes) / 1e6,
    })
    if (store.run && side === 'device') {
      return mb(store.run('device', { file: `${dir}/log`, block: MIB, bytes: bytesMax, way: 'fastest' }), 1)
    }
    const size = Number(side.split('@')[1])
    if (store.run) return mb(store.run('lz4', { body: size, records: bytesMax / 256 }), 256)
    const perBatch = Math.max(1, Math.min(4_000, Math.floor(MIB / size)))
    const batches = Math.ceil(Math.min(bytesMax / size, recordsMax) / perBatch)
    return mb(await appendBatches(store, payloads(events, size), { batches, size: perBatch, inFlight: 4 }), size)
  },
}

/** @param {Record<string, import('../types.d.ts').Round>} rounds */
function share(rounds) {
  return rounds[`lz4@${MIB}`].extra?.storedShare ?? 1
}

/** @type {Buffer[]} */
let made = []

/**
 * Pieces of the same events, one after another: as many as there are events, or 16 MiB of them.
 *
 * @param {Buffer[]} events
 * @param {number} size
 */
function payloads(events, size) {
  if (made.length > 0) return made
  const all = Buffer.concat(events)
  const twice = Buffer.concat([all, all])
  const count = Math.min(16_384, Math.ceil((16 * MIB) / size))
  // Steps of 17 events, so that large payloads differ too.
  made = Array.from({ length: count }, (_, index) => {
    const start = size < 256 ? index * size : (index * Math.max(size, 17 * 256)) % all.length
    return twice.subarray(start % all.length, (start % all.length) + size)
  })
  return made
}
