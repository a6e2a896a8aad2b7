/** Values into a log and out of it, in all the ways there are; and what an array knows of that. */
import type { Log, LogRecord } from '../../lib/index.js'
import type { EncodingName, Reading } from './steps.js'

/** A value as it comes out again. */
export function outOf(encoding: EncodingName, value: any): unknown {
  if (encoding === 'buffer') return Buffer.from(value)
  return encoding === 'json' ? JSON.parse(JSON.stringify(value)) : value
}

/** The same values as each kind of source that `appendAll` takes. */
export function sourceOf(values: unknown[], kind: 'array' | 'generator' | 'async'): any {
  if (kind === 'array') return values
  const generate = function* () {
    yield* values
  }
  const wait = async function* () {
    for (const value of values) yield await value
  }
  return kind === 'generator' ? generate() : wait()
}

/** What a read gives, by any of the ways to take it. */
export async function collect(log: Log<any, any>, how: 'all' | 'each' | 'chunks', options: Reading) {
  if (how === 'all') return log.read(options).toArray()
  const records: LogRecord<unknown>[] = []
  if (how === 'each') {
    for await (const record of log.read(options)) records.push(record)
  } else {
    for await (const chunk of log.read(options).chunks()) records.push(...chunk)
  }
  return records
}

/** The offsets that a read gives in a log of `size`. */
export function range(
  { from = 0, to, limit = Infinity, reverse = false }: Reading & { from?: number; to?: number },
  size: number,
) {
  const end = Math.min(to ?? size, size)
  const offsets = Array.from({ length: Math.max(0, end - from) }, (_, index) => from + index)
  return (reverse ? offsets.reverse() : offsets).slice(0, limit)
}
