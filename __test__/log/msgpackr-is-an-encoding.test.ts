import { Packr, pack, unpack } from 'msgpackr'
import { expect, expectTypeOf, test } from 'vitest'
import { type Log, open } from '../../lib/index.js'
import { newPath } from '../support/temp.js'

interface Sample {
  name: string
  at: Date
  bytes: Buffer
  count: bigint
  tags: string[]
}

const samples: Sample[] = Array.from({ length: 500 }, (_, n) => ({
  name: `sensor ${n}`,
  at: new Date(1_700_000_000_000 + n),
  bytes: Buffer.from([n & 255, 0, 255]),
  count: 2n ** 60n + BigInt(n),
  tags: ['a', `b${n}`],
}))

test('values of msgpackr, also those that JSON does not have, read back after reopening', async () => {
  const dir = newPath()
  const encoding = { name: 'msgpackr', encode: (value: Sample): Uint8Array => pack(value), decode: unpack }
  const log = await open(dir, { encoding })
  await log.append(samples[0]!)
  await log.appendBatch(samples.slice(1))
  await log.close()
  const again = await open(dir, { encoding })
  expectTypeOf(again).toExtend<Log<Sample>>()
  expect((await again.read().toArray()).map(({ value }) => value)).toEqual(samples)
  expect((await again.get(499))!.value).toEqual(samples[499])
  await again.close()
  await expect(open(dir, { encoding: 'json' })).rejects.toMatchObject({ code: 'VARVE_ENCODING_MISMATCH' })
})

test('a Packr with a name is an encoding as it is', async () => {
  const encoding = Object.assign(new Packr(), { name: 'msgpackr' })
  const log = await open<Sample>(newPath(), { encoding })
  await log.appendBatch(samples)
  expect((await log.read().toArray()).map(({ value }) => value)).toEqual(samples)
  await log.close()
})
