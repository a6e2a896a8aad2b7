import { expect, test } from 'vitest'
import { openFake, tick } from '../support/fake-log.js'

/** A log of JSON texts as they stand, some of which no `append` would write. */
async function withTexts(texts: string[]) {
  const { addon, log } = await openFake<unknown>({ encoding: 'json' })
  await tick()
  addon.records = texts.map(text => Buffer.from(text))
  addon.sync(texts.length)
  return log
}

const chunkOf = async (texts: string[], reverse = false) =>
  (
    await (
      await withTexts(texts)
    )
      .read({ reverse, chunkBytes: 1 << 20 })
      .chunks()
      .next()
  ).value

test.each(['plain', 'ünïcödé 🎉'])('values come back in any order of asking: %s', async word => {
  const values = Array.from({ length: 300 }, (_, index) => ({ index, word: word.repeat(index % 7) }))
  const texts = values.map(value => JSON.stringify(value))
  for (const reverse of [false, true]) {
    const chunk = await chunkOf(texts, reverse)
    const order = reverse ? values.toReversed() : values
    expect(Array.from(chunk, (record: any) => record.value)).toEqual(order)
    for (const index of [0, 5, 6, 7, 299, 64, 65, 63, 128, 1, 2]) expect(chunk.at(index).value).toEqual(order[index])
  }
})

test('records longer than what is read at once, and empty strings between them', async () => {
  const values = ['', 'x'.repeat(40_000), '', 'y'.repeat(20_000), 'z'.repeat(20_000), 'a', 'b'.repeat(100_000), '']
  const chunk = await chunkOf(values.map(value => JSON.stringify(value)))
  expect(Array.from(chunk, (record: any) => record.value)).toEqual(values)
})

test('a text that is no JSON throws what JSON.parse throws for it alone, and the others are read', async () => {
  const texts = Array.from({ length: 100 }, (_, index) => (index === 70 ? '{"a":' : `{"a":${index}}`))
  const chunk = await chunkOf(texts)
  const message = (() => {
    try {
      return JSON.parse(texts[70]!)
    } catch (error) {
      return (error as Error).message
    }
  })()
  for (let index = 0; index < 100; index++) {
    if (index === 70) expect(() => chunk.at(index)).toThrow(new SyntaxError(message))
    else expect(chunk.at(index).value).toEqual({ a: index })
  }
})

test('texts that would be one value together are not', async () => {
  const chunk = await chunkOf(['1', '2', '[3', ']', '4'])
  expect([chunk.at(0).value, chunk.at(1).value]).toEqual([1, 2])
  expect(() => chunk.at(2)).toThrow(SyntaxError)
  expect(() => chunk.at(3)).toThrow(SyntaxError)
  expect(chunk.at(4).value).toBe(4)
})
