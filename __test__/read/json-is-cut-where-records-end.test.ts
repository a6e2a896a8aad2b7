import { expect, test } from 'vitest'
import { type Chunk, open } from '../../lib/index.js'
import { newPath, openLog } from '../support/temp.js'

/** A log of JSON in which somebody has put bytes that no `append` of JSON would write. */
async function withPayloads(payloads: Buffer[]) {
  const dir = newPath()
  await (await open(dir, { encoding: 'json' })).close()
  const raw = await open(dir, { encoding: 'buffer' })
  if (payloads.length > 0) await raw.appendBatch(payloads)
  await raw.close()
  return openLog<unknown>(dir, { encoding: 'json' })
}

/** The value, or what is thrown instead of it. */
function outcome(value: () => unknown): unknown {
  try {
    return { value: value() }
  } catch (error) {
    return { threw: (error as Error).name, message: (error as Error).message }
  }
}

// Joined by commas some of these are as many values as there are records, and others than the records'.
const odd = ['1,2', '[1', '2]', '3,4', '', '{"a":1', '"b":2}', '', ' {"a" : 1} ', '"', '"', '//', 'null', '-0', '']
const plain = Array.from({ length: 500 }, (_, index) => JSON.stringify({ index, word: 'w'.repeat((index * 7) % 300) }))
const long = ['"', `"${'x'.repeat(70_000)}"`, '', '[]', `"${'y'.repeat(32_766)}"`, `"${'z'.repeat(32_767)}"`, '""', '']
const beyondAscii = plain.toSpliced(250, 1, '"ünïcödé 🎉"')
const broken = [...plain.slice(0, 10).map(text => Buffer.from(text)), Buffer.from([0x22, 0xff, 0x22])]

test.each<[string, (string | Buffer)[]]>([
  ['texts that are no JSON alone', odd],
  ['many texts, and such that are no JSON between them', [...plain.slice(0, 63), ...odd, ...plain, ...odd]],
  ['long texts and empty ones', [...long, ...odd, ...long.toReversed()]],
  ['more characters than ASCII has', beyondAscii],
  ['bytes that are no UTF-8', broken],
])('each record gives what JSON.parse gives for it alone: %s', async (_, texts) => {
  const payloads = texts.map(text => Buffer.from(text))
  const log = await withPayloads(payloads)
  const expected = payloads.map(payload => outcome(() => JSON.parse(payload.toString())))
  for (const reverse of [false, true]) {
    for (const chunkBytes of [1, 64 << 10, 8 << 20]) {
      for await (const chunk of log.read({ reverse, chunkBytes }).chunks()) {
        const offsets = Array.from({ length: chunk.length }, (_, at) => chunk.offset + (reverse ? -at : at))
        expect(offsets.map((_, at) => outcome(() => chunk.at(at)?.value))).toEqual(offsets.map(at => expected[at]))
        for (const at of jumps(chunk)) {
          expect(outcome(() => chunk.at(at)?.value)).toEqual(expected[offsets[at]!])
          expect(Buffer.compare(chunk.bytes(at), payloads[offsets[at]!]!)).toBe(0)
        }
      }
    }
  }
})

/** Places in no order, each of them once. */
function jumps({ length }: Chunk<unknown>): number[] {
  const all = Array.from({ length }, (_, index) => index)
  return all.toSorted((a, b) => ((a * 7_919) % 1_009) - ((b * 7_919) % 1_009))
}

test('the bytes of a chunk of JSON are the same memory at every call, and nobody else has it', async () => {
  const log = await withPayloads(plain.map(text => Buffer.from(text)))
  const chunks: Chunk<unknown>[] = []
  for await (const chunk of log.read({ chunkBytes: 1 }).chunks()) chunks.push(chunk)
  for (const chunk of chunks) expect(chunk.bytes(0).buffer).toBe(chunk.bytes(chunk.length - 1).buffer)
  expect(new Set(chunks.map(chunk => chunk.bytes(0).buffer)).size).toBe(chunks.length)
})
