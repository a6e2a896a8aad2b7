import { expect, test } from 'vitest'
import { open } from '../../lib/index.js'
import { Child } from '../support/child.js'
import { newPath, random } from '../support/temp.js'

const rounds = Number(process.env.VARVE_KILL_ROUNDS ?? 20)
const seed = Number(process.env.VARVE_SEED ?? 20261123)

/** As in fixtures/writers.mjs. */
const text = (call: string, index: number, count: number) =>
  `${call}/${index}/${count} `.padEnd(20 + ((index * 97 + call.length * 31) % 900), call)

test(`SIGKILL while appending, ${rounds} times: all that was acknowledged is there, batches are whole`, {
  timeout: 30_000 + rounds * 10_000,
}, async () => {
  console.log(`killed-writers-lose-nothing: VARVE_SEED=${seed} VARVE_KILL_ROUNDS=${rounds}`)
  const pick = random(seed)
  const dir = newPath()
  let before: string[] = []
  for (let round = 0; round < rounds; round++) {
    const child = new Child('writers.mjs', [dir, String(round), String(Math.floor(pick() * 2 ** 32))])
    const receipts = 1 + Math.floor(pick() * 200)
    for (let n = 0; n < receipts; n++) await child.line()
    child.kill('SIGKILL')
    const { signal, lines } = await child.ended
    expect(signal).toBe('SIGKILL')

    const log = await open(dir, { encoding: 'utf8', segmentBytes: 256 * 1024 })
    const values = (await log.read({ verify: true }).toArray()).map(({ value }) => value)
    expect(values.length).toBe(log.head.size)
    // What an earlier open has shown stays.
    expect(values.slice(0, before.length), `round ${round}`).toEqual(before)
    // The last line may be cut off by the kill.
    for (const line of lines) {
      const [, offset, count, call] = /^(\d+) (\d+) (\S+)$/.exec(line) ?? []
      if (call === undefined) continue
      for (let index = 0; index < Number(count); index++) {
        expect(values[Number(offset) + index], `round ${round}: ${line}`).toBe(text(call, index, Number(count)))
      }
    }
    // Acknowledged or not: a batch is there whole, in order, or not at all.
    for (let at = before.length; at < values.length; ) {
      const [, call, index, count] = /^(\S+)\/(\d+)\/(\d+) /.exec(values[at]!)!
      expect(index, `round ${round}: the batch at ${at} starts in its middle`).toBe('0')
      for (let n = 0; n < Number(count); n++) expect(values[at + n]).toBe(text(call!, n, Number(count)))
      at += Number(count)
    }
    before = values
    await log.close()
  }
})
