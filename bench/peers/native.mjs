/** bench/native, a Rust program: floors and peers that Node cannot measure. It runs once a round, beside the other sides. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

const program = join(import.meta.dirname, '../../target/bench-native/release/varve-bench-native')

/** GB a second that one processor writes into memory which the other has read; undefined with one, or where nothing is built. */
export function exchange() {
  if (availableParallelism() < 2 || !existsSync(program)) return undefined
  return JSON.parse(execFileSync(program, ['processors'], { encoding: 'utf8' })).value
}

/**
 * @param {string} dir
 * @param {{ events: Buffer[] }} found
 */
export function openStore(dir, { events }) {
  if (!existsSync(program)) throw new Error('bench/native is not built (npm run bench builds it)')
  mkdirSync(dir, { recursive: true })
  const file = join(dir, 'events')
  writeFileSync(file, Buffer.concat(events))
  return {
    /**
     * @param {string} command
     * @param {Record<string, string | number>} args
     */
    run(command, args) {
      const words = Object.entries({ events: file, ...args }).map(([key, value]) => `${key}=${value}`)
      const { value, records, cpuMicros, ownMicros, ...extra } = JSON.parse(
        execFileSync(program, [command, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
      )
      return { value, records, cpuMicros, ownMicros, extra }
    },
    close() {},
  }
}
