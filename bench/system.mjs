/** What the system knows of this process. Linux; elsewhere these are NaN. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

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

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
