/** What the system knows of this process. Linux; elsewhere these are NaN. */
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'

const kinds = /** @type {const} */ (['user', 'nice', 'sys', 'irq', 'idle'])

/** Processor time of the main thread so far, nanoseconds. It sleeps a moment, as the kernel counts when a thread stops. */
export async function mainThreadNanos() {
  await delay(2)
  return Number(read('/proc/self/schedstat')?.split(' ')[0] ?? Number.NaN)
}

/** Resident memory, bytes. */
export function residentBytes() {
  return Number(/^VmRSS:\s+(\d+)/m.exec(read('/proc/self/status') ?? '')?.[1] ?? Number.NaN) * 1024
}

/** Threads of this process, by name. */
export function threads() {
  try {
    return readdirSync('/proc/self/task').map(task => read(`/proc/self/task/${task}/comm`)?.trim() ?? '')
  } catch {
    return []
  }
}

/** Time of all cores since the machine started. Waiting for a disk counts as idle. */
export function coresMicros() {
  const { user, nice, sys, irq, idle } = fromStat(read('/proc/stat')) ?? fromNode()
  const busy = (user + nice + sys) * 1_000
  return { busy, total: busy + (idle + irq) * 1_000 }
}

/** Node leaves out the time that a core waits for a disk, which here is most of it. @param {string | undefined} stat */
function fromStat(stat) {
  if (stat === undefined) return undefined
  const ticks = stat.split('\n')[0].split(/ +/).slice(1).map(Number)
  const [user, nice, sys, idle, wait, irq, softirq] = ticks.map(count => count * 10) // 100 ticks a second
  return { user, nice, sys, irq: irq + softirq, idle: idle + wait }
}

function fromNode() {
  const times = { user: 0, nice: 0, sys: 0, irq: 0, idle: 0 }
  for (const cpu of cpus()) for (const kind of kinds) times[kind] += cpu.times[kind]
  return times
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
