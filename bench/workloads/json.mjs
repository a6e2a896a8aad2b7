/** Every value of a log of JSON, against `JSON.parse` alone on the same texts, which are strings already. */
import { performance } from 'node:perf_hooks'
import { fill } from '../batches.mjs'
import { ratio } from '../goals.mjs'

/** @type {import('../types.d.ts').Log | undefined} */
let log
/** @type {string[]} */
let texts = []

/** @type {import('../types.d.ts').Workload} */
export default {
  title: 'values of a log of JSON, one by one within chunks',
  unit: 'records/s',
  better: 'higher',
  // parse: JSON.parse and nothing else.
  sides: ['varve', 'parse'],
  baseline: 'parse',
  goals: [
    // Of records a second the other way round: times are compared.
    ratio('time of varve / of JSON.parse', ['parse', 'varve'], { max: 1.3 }),
  ],
  plan: quick => ({ rounds: quick ? 4 : 10, records: quick ? 40_000 : 200_000 }),

  async prepare({ store, events, dir, plan }) {
    texts = events.map(event => event.toString())
    if (!store.open) return {}
    log = await store.open(`${dir}-json`, { encoding: 'json' })
    const values = texts.map(text => JSON.parse(text))
    await fill(log, values, plan.records)
    return {}
  },

  async round({ plan }) {
    let records = 0
    let sum = 0
    const touch = (/** @type {{ ms: number, detail: string }} */ { ms, detail }) => {
      records++
      sum += ms + detail.length
    }
    const started = performance.now()
    if (log) {
      for await (const chunk of log.read().chunks()) for (const { value } of chunk) touch(value)
    } else {
      for (let index = 0; index < plan.records; index++) touch(JSON.parse(texts[index % texts.length]))
    }
    const seconds = (performance.now() - started) / 1_000
    if (records !== plan.records || sum === 0) throw new Error(`${records} of ${plan.records} values were read`)
    return { value: records / seconds, records }
  },

  finish: async () => log?.close(),
}
