import { execFileSync } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Head, inspect, open } from '../../lib/index.js'
import { text } from '../fixtures/calls.mjs'
import { Child } from '../support/child.js'
import { newPath, random } from '../support/temp.js'

const rounds = Number(process.env.VARVE_KILL_ROUNDS ?? 50)
const seed = Number(process.env.VARVE_SEED ?? 20261123)
/** A program that cuts the power of the disk (`cut`) and gives it back (`restore`): scripts/filesystems.mjs. */
const power = process.env.VARVE_POWER

/** Rounds on one log, so that its rereading stays cheap. */
const ROUNDS_PER_LOG = 10

/** What the rounds did: a loop that never hits a rotation proves nothing about rotations. */
const facts = { receipts: 0, records: 0, segments: 0, whileOpening: 0, whileRotating: 0, followed: 0, cuts: 0 }

test(`SIGKILL while appending, ${rounds} times: all that was acknowledged is there, batches are whole`, {
  timeout: 30_000 + rounds * 10_000,
}, async () => {
  console.log(`killed-writers-lose-nothing: VARVE_SEED=${seed} VARVE_KILL_ROUNDS=${rounds}`)
  const pick = random(seed)
  let log = { dir: '', before: [] as string[], head: undefined as Head | undefined }
  for (let round = 0; round < rounds; round++) {
    if (round % ROUNDS_PER_LOG === 0) log = { dir: newPath(), before: [], head: undefined }
    try {
      await oneRound(log, round, pick)
    } catch (error) {
      throw new Error(`round ${round} in ${log.dir}: ${(error as Error).message}`, { cause: error })
    }
  }
  console.log(`killed-writers-lose-nothing: ${JSON.stringify(facts)}`)
})

async function oneRound(log: { dir: string; before: string[]; head?: Head }, round: number, pick: () => number) {
  const { dir, before } = log
  const options = {
    segmentBytes: (pick() < 0.7 ? 64 : 256) * 1024,
    compression: pick() < 0.5 ? 'none' : 'lz4',
  }
  const child = new Child('writers.mjs', [
    dir,
    String(round),
    String(Math.floor(pick() * 2 ** 32)),
    JSON.stringify(options),
  ])
  let follower: Child | undefined
  expect(await child.line()).toBe('opening')
  if (round % 5 === 4) {
    facts.whileOpening++
  } else {
    expect(await child.line()).toBe('open')
    if (round % 10 === 5 && power === undefined) {
      follower = new Child('follower.mjs', [dir])
      await follower.line()
      facts.followed++
    }
    const receipts = 1 + Math.floor(pick() * 100)
    for (let n = 0; n < receipts; n++) await child.line()
  }
  // Not to wait for something: the moment is to be any, not the one at which a receipt has just arrived.
  await setTimeout(pick() * 8)
  if (power !== undefined) execFileSync(power, ['cut'])
  child.kill('SIGKILL')
  const { signal, lines, stderr } = await child.ended
  if (power === undefined) expect(signal, stderr).toBe('SIGKILL')
  else execFileSync(power, ['restore'])

  // The last line may be cut off by the kill.
  const receipts = lines.flatMap(line => {
    const [, offset, count, call, id, size, hash] = /^(\d+) (\d+) (\S+) (\S{64}) (\d+) (\S{64})$/.exec(line) ?? []
    if (hash === undefined) return []
    return { offset: Number(offset), count: Number(count), call: call!, head: { id: id!, size: Number(size), hash } }
  })
  log.head = receipts.at(-1)?.head ?? log.head
  facts.receipts += receipts.length
  if (log.head !== undefined) {
    const { segments } = await inspect(dir)
    if (segments.filter(({ sealed, count }) => !sealed && count > 0).length > 1) facts.whileRotating++
    if (round % ROUNDS_PER_LOG === ROUNDS_PER_LOG - 1) facts.segments += segments.length
  }

  const again = await open(dir, { encoding: 'utf8', segmentBytes: 64 * 1024, expectHead: log.head })
  if (again.recovery !== undefined) facts.cuts++
  const values = (await again.read({ verify: true }).toArray()).map(({ value }) => value)
  expect(values.length).toBe(again.head.size)
  // What an earlier opening has shown stays.
  for (const [offset, value] of before.entries()) same(values[offset], value)
  for (const { offset, count, call } of receipts) {
    for (let index = 0; index < count; index++) same(values[offset + index], text(call, index, count))
  }
  // Acknowledged or not: a batch is there whole, in order, or not at all.
  const ends = new Set([0])
  for (let at = 0; at < values.length; ) {
    const [, call, index, count] = /^(\S+)\/(\d+)\/(\d+) /.exec(values[at]!)!
    expect(index, `the batch at ${at} starts in its middle`).toBe('0')
    for (let n = 0; n < Number(count); n++) same(values[at + n], text(call!, n, Number(count)))
    at += Number(count)
    ends.add(at)
  }
  expect((await again.verify({ expectHead: log.head })).problems).toEqual([])
  if (follower !== undefined) await checkFollower(follower, values, ends)
  facts.records += values.length - before.length
  log.before = values
  await again.close()
}

/** `expect` alone would take most of the time of a round. */
function same(found: string | undefined, expected: string) {
  if (found !== expected) expect(found).toBe(expected)
}

/** What a reader in another process was shown is in the log, and it never saw a part of a batch. */
async function checkFollower(follower: Child, values: string[], ends: Set<number>) {
  follower.say('stop')
  const { code, lines, stderr } = await follower.ended
  expect(code, stderr).toBe(0)
  for (const line of lines) {
    const [what, which] = line.split(' ') as [string, string]
    if (what === 'size') expect(ends, `the reader's end, ${which}, lies within a batch`).toContain(Number(which))
    else expect(values[Number(what)]).toMatch(which)
  }
}
