/** What a random program is made of: options of a log, and calls on it. Everything in it can be printed and replayed. */
import fc from 'fast-check'

export type EncodingName = 'buffer' | 'utf8' | 'json'

/** Whether a call is awaited before the next one begins. */
interface Call {
  wait: boolean
}

/** Positions are shares of the log's size, so that they mean something in a log of any size; over 1 is past its end. */
export type Step =
  | (Call & { do: 'append'; value: unknown; expected: 'any' | 'right' | 'wrong' })
  | (Call & { do: 'batch'; values: unknown[]; expected: 'any' | 'right' | 'wrong' })
  | (Call & { do: 'burst'; value: unknown; calls: number })
  | { do: 'all'; values: unknown[]; source: 'array' | 'generator' | 'async' }
  | (Call & { do: 'read'; how: 'all' | 'each' | 'chunks'; from?: number; to?: number; options: Reading })
  | (Call & { do: 'get'; at: number })
  | { do: 'offsetAt'; at: number; add: number }
  | (Call & { do: 'flush' | 'drained' | 'close' })
  | { do: 'flushSync' | 'reopen' | 'verify' | 'follow' | 'turn' }

export interface Reading {
  limit?: number
  reverse?: boolean
  verify?: boolean
  chunkBytes?: number
}

export interface Program {
  encoding: EncodingName
  options: {
    compression: 'none' | 'lz4'
    durability: 'disk' | 'os'
    segmentBytes: number
    cacheBytes: number
    maxRecordBytes: number
    maxPendingBytes: number
    keyed: boolean
  }
  steps: Step[]
}

const circular: any = {}
circular.self = circular

/** Around the sizes at which payloads take other ways: empty, small, a frame (16 KiB), past the staging (64 KiB). */
const size = fc.oneof(
  { weight: 12, arbitrary: fc.nat(300) },
  { weight: 2, arbitrary: fc.integer({ min: 16_000, max: 17_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 65_000, max: 70_000 }) },
)

const VALID: Record<EncodingName, fc.Arbitrary<unknown>> = {
  buffer: fc.tuple(size, fc.nat(255)).map(([length, byte]) => Buffer.alloc(length, byte)),
  utf8: fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.tuple(size, fc.constantFrom('x', 'ü', '記')).map(([length, unit]) => unit.repeat(length / 3)),
  ),
  json: fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    size.map(length => ({ text: 'x'.repeat(length) })),
  ),
}
const INVALID: Record<EncodingName, fc.Arbitrary<unknown>> = {
  buffer: fc.constantFrom<unknown>('text', 5, null, undefined, [1]),
  utf8: fc.constantFrom<unknown>(5, null, undefined, 'lone \ud800', Buffer.from('x')),
  json: fc.constantFrom<unknown>(undefined, () => 1, 10n, circular),
}

/** Whether this encoding takes the value. */
export function isValid(encoding: EncodingName, value: any): boolean {
  if (encoding === 'buffer') return value instanceof Uint8Array
  if (encoding === 'utf8') return typeof value === 'string' && value.isWellFormed()
  return value !== undefined && value !== circular && typeof value !== 'function' && typeof value !== 'bigint'
}

function step(encoding: EncodingName): fc.Arbitrary<Step> {
  const wait = fc.boolean()
  const valid = VALID[encoding]
  const value = fc.oneof({ weight: 15, arbitrary: valid }, { weight: 1, arbitrary: INVALID[encoding] })
  const expected = fc.constantFrom('any', 'any', 'any', 'right', 'wrong')
  const share = fc.integer({ min: 0, max: 110 }).map(percent => percent / 100)
  const kind = <T extends Step>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary })
  const is = <const D extends string>(name: D) => fc.constant(name)
  const reading = fc.record(
    {
      limit: fc.nat(20),
      reverse: fc.boolean(),
      verify: fc.boolean(),
      chunkBytes: fc.constantFrom(1, 100, 5_000, 100_000),
    },
    { requiredKeys: [] },
  )
  const how = fc.constantFrom('all', 'each', 'chunks')
  return fc.oneof(
    kind(10, fc.record({ do: is('append'), value, expected, wait })),
    kind(6, fc.record({ do: is('batch'), values: fc.array(value, { maxLength: 40 }), expected, wait })),
    kind(3, fc.record({ do: is('burst'), value: valid, calls: fc.integer({ min: 2, max: 40 }), wait })),
    kind(
      2,
      fc.record({
        do: is('all'),
        values: fc.array(value, { maxLength: 30 }),
        source: fc.constantFrom('array', 'generator', 'async'),
      }),
    ),
    kind(
      8,
      fc.record(
        { do: is('read'), how, from: share, to: share, options: reading, wait },
        { requiredKeys: ['do', 'how', 'options', 'wait'] },
      ),
    ),
    kind(4, fc.record({ do: is('get'), at: share, wait })),
    kind(1, fc.record({ do: is('offsetAt'), at: share, add: fc.integer({ min: -1, max: 1 }) })),
    kind(2, fc.record({ do: fc.constantFrom('flush', 'drained'), wait })),
    kind(1, fc.record({ do: is('close'), wait })),
    kind(5, fc.record({ do: fc.constantFrom('flushSync', 'reopen', 'reopen', 'verify', 'follow', 'turn') })),
  ) as fc.Arbitrary<Step>
}

/** Mostly the first: the others refuse so much that little else happens. */
const often = (first: number, ...others: number[]) =>
  fc.oneof({ weight: 2 * others.length, arbitrary: fc.constant(first) }, ...others.map(other => fc.constant(other)))

export const program: fc.Arbitrary<Program> = fc.constantFrom<EncodingName>('buffer', 'utf8', 'json').chain(encoding =>
  fc.record({
    encoding: fc.constant(encoding),
    options: fc.record({
      compression: fc.constantFrom('none', 'lz4'),
      durability: fc.constantFrom('disk', 'os'),
      segmentBytes: fc.constantFrom(64 * 1024, 1 << 20),
      cacheBytes: fc.constantFrom(0, 1 << 20),
      maxRecordBytes: often(1 << 20, 0, 250, 16_500),
      maxPendingBytes: often(16 << 20, 1_024, 5_000, 100_000),
      keyed: fc.boolean(),
    }),
    steps: fc.array(step(encoding), { maxLength: 60, size: 'max' }),
  }),
)
