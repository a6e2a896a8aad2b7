/**
 * One side of one workload, in a process of its own: a heap full of one side's garbage, a pool of threads or a native
 * crash then never counts against another side. The processes stay alive from round to round, so code is warm, and
 * run one at a time, so they do not compete.
 */
import { auditEvents } from './events.mjs'
import { peerOf } from './sides.mjs'

const events = auditEvents()
/** @type {import('./types.d.ts').Workload} */
let workload
/** @type {import('./types.d.ts').Context} */
let context

/** @type {Record<string, (args: any) => Promise<object>>} */
const commands = {
  async start({ workload: name, side, dir, plan, found }) {
    const { peer, options } = peerOf(side)
    const { openStore } = await import(`./peers/${peer}.mjs`)
    workload = (await import(`./workloads/${name}.mjs`)).default
    context = { side, plan, events, dir, found, store: await openStore(dir, { ...found, ...options, events }) }
    return (await workload.prepare?.(context)) ?? {}
  },
  async round({ round }) {
    const began = process.cpuUsage()
    globalThis.gc?.()
    const before = process.cpuUsage()
    const result = await workload.round({ ...context, round })
    const { user, system } = process.cpuUsage(before)
    const all = process.cpuUsage(began)
    const ownMicros = all.user + all.system + (result.ownMicros ?? 0)
    return { cpuMicros: (user + system) / result.records, ...result, ownMicros }
  },
  async stop() {
    await workload?.finish?.(context)
    await context?.store.close()
    return {}
  },
}

process.on('message', async ({ command, ...args }) => {
  try {
    process.send?.({ result: await commands[command](args) })
  } catch (error) {
    process.send?.({ error: error instanceof Error ? error.message : String(error) })
  }
  if (command === 'stop') process.disconnect()
})
