/**
 * Runs a random program against a log and against an array, and compares. What the array cannot know is how far the log
 * has become durable at some moment: there the model takes any size between what it was before and after the call.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Log, LogRecord, OpenOptions } from '../../lib/index.js'
import { count, ended, Judge } from './judge.js'
import { isValid, type Program, type Step } from './steps.js'
import { collect, outOf, range, sourceOf } from './ways.js'

/** Where the program's logs are. */
export interface Place {
  open(options: OpenOptions): Promise<Log<any, any>>
  /** A reader of the same log; not in memory. */
  follow?(options: OpenOptions): Promise<Log<any, any>>
  /** Whether a closed log can be opened again with what it held. */
  lasting: boolean
}

const RECORD_COST = 256

export async function run(program: Program, place: Place): Promise<void> {
  const user = new User(program, place)
  try {
    await user.open()
    for (const [index, step] of program.steps.entries()) {
      user.now = `step ${index}, ${step.do}`
      await user.take(step)
    }
    user.now = 'the end'
    await user.end()
  } finally {
    await user.log?.close().catch(() => {})
  }
}

class User extends Judge {
  log!: Log<any, any>
  /** Everything accepted, as it must come out. Its index is its offset. */
  records: unknown[] = []
  readonly #program: Program
  readonly #place: Place
  readonly #options: OpenOptions
  /** Of the open log: calls are refused from the moment of `close`. */
  #closed = false
  #closing: Promise<unknown> = Promise.resolve()
  /** Checks of calls that were not awaited. */
  #unsettled: Promise<void>[] = []
  readonly #times = new Map<number, number>()

  constructor(program: Program, place: Place) {
    super()
    this.#program = program
    this.#place = place
    const { keyed, ...options } = program.options
    this.#options = { ...options, encoding: program.encoding, secret: keyed ? Buffer.alloc(32, 7) : undefined }
  }

  async open(): Promise<void> {
    const heads = [...this.heads.values()]
    const expectHead = heads[Math.floor(heads.length / 2)]
    this.log = await this.#place.open({ ...this.#options, expectHead })
    this.#closed = false
    this.same(this.log.head.size, this.records.length, 'size after opening')
    this.same(this.log.recovery, undefined, 'recovery')
    this.head(this.log.head)
  }

  async end(): Promise<void> {
    await this.#settle()
    if (this.#closed) await this.#reopen()
    this.same((await this.log.flush()).size, this.records.length, 'size at the end')
    await this.#read({ do: 'read', how: 'all', options: { verify: true }, wait: true })
    const report = await this.log.verify({ expectHead: [...this.heads.values()][0] })
    this.same([report.ok, report.records, report.problems], [true, this.records.length, []], 'verify at the end')
    await this.log.close()
    this.same(this.log.pendingBytes, 0, 'pendingBytes after close')
  }

  async take(step: Step): Promise<void> {
    count(this.#closed ? `${step.do} when closed` : step.do)
    switch (step.do) {
      case 'append':
        return this.#append([step.value], false, step.expected, step.wait)
      case 'batch':
        return this.#append(step.values, true, step.expected, step.wait)
      case 'burst': {
        const calls = Array.from({ length: step.calls }, () => this.#append([step.value], false, 'any', step.wait))
        return void (await Promise.all(calls))
      }
      case 'all':
        return this.#appendAll(step.values, step.source)
      case 'read':
        return this.#later(this.#read(step), step.wait)
      case 'get':
        return this.#later(this.#get(Math.floor(step.at * (this.records.length + 1))), step.wait)
      case 'offsetAt':
        return this.#offsetAt(step.at, step.add)
      case 'flush':
        return this.#later(this.#flush(), step.wait)
      case 'drained':
        return this.#later(this.#drained(), step.wait)
      case 'flushSync':
        return this.#flushSync()
      case 'close':
        return this.#close(step.wait)
      case 'reopen':
        await this.#close(true)
        return this.#reopen()
      case 'verify':
        return this.#verify()
      case 'follow':
        return this.#follow()
      case 'turn':
        return new Promise<void>(resolve => setImmediate(resolve))
    }
  }

  #append(values: unknown[], batch: boolean, expected: 'any' | 'right' | 'wrong', wait: boolean): Promise<void> {
    const { log, records } = this
    const { encoding } = this.#program
    const offset = records.length
    const costs = values.map(value => (isValid(encoding, value) ? this.#bytes(value) + RECORD_COST : 0))
    const faults = this.#faults(values, costs)
    if (expected === 'wrong') faults.push('VARVE_OFFSET_CONFLICT')
    const options = { any: undefined, right: { expectedOffset: offset }, wrong: { expectedOffset: offset + 1 } }[
      expected
    ]
    const pending = log.pendingBytes
    const call = ended(batch ? log.appendBatch(values, options) : log.append(values[0], options))
    const cost = costs.reduce((sum, cost) => sum + cost, 0)
    const taken = faults.length === 0
    this.same(log.pendingBytes, pending + (taken ? cost : 0), 'pendingBytes after the call')
    if (taken) count('records', values.length)
    if (taken) records.push(...values.map(value => outOf(encoding, value)))
    const where = this.now
    const check = call.then(result => {
      if (!taken) return this.refused(result, faults, where)
      const receipt = this.value(result, where)
      this.same([receipt.offset, receipt.count], [offset, values.length], `receipt of ${where}`)
      const { size } = receipt.head
      if (size < offset + values.length || size > records.length) this.wrong(`head.size ${size} of ${where}`)
      this.head(receipt.head)
    })
    return this.#later(check, wait)
  }

  /** Every reason to refuse these values; a call may name any one of them. */
  #faults(values: unknown[], costs: number[]): string[] {
    const { maxRecordBytes, maxPendingBytes } = this.#program.options
    const faults: string[] = []
    if (values.length === 0) faults.push('TypeError')
    if (this.#closed) faults.push('VARVE_CLOSED')
    if (!values.every(value => isValid(this.#program.encoding, value))) faults.push('TypeError')
    if (costs.some(cost => cost - RECORD_COST > maxRecordBytes)) faults.push('RangeError')
    const cost = costs.reduce((sum, cost) => sum + cost, 0)
    if (cost > 4 * maxPendingBytes) faults.push('RangeError')
    else if (this.log.pendingBytes + cost > 4 * maxPendingBytes) faults.push('VARVE_BUSY')
    return faults
  }

  async #appendAll(values: unknown[], source: 'array' | 'generator' | 'async'): Promise<void> {
    const { encoding, options } = this.#program
    const good = (value: unknown) => isValid(encoding, value) && this.#bytes(value) <= options.maxRecordBytes
    const until = values.findIndex(value => !good(value))
    const wanted = this.#closed ? [] : values.slice(0, until < 0 ? undefined : until)
    const bytes = wanted.reduce((sum: number, value) => sum + this.#bytes(value), 0)
    this.records.push(...wanted.map(value => outOf(encoding, value)))
    const result = await ended(this.log.appendAll(sourceOf(values, source)))
    const complete = !this.#closed && until < 0
    if (!complete) {
      const faults = this.#closed ? ['VARVE_CLOSED'] : ['TypeError', 'RangeError']
      this.refused(result, faults, this.now)
    }
    const progress = complete ? this.value(result, this.now) : (result as { error: any }).error.progress
    this.same([progress.count, progress.bytes], [wanted.length, bytes], 'progress')
    this.head(progress.head)
  }

  async #read(step: Extract<Step, { do: 'read' }>): Promise<void> {
    const { log, records, now } = this
    const closed = this.#closed
    const least = log.head.size
    const at = (share: number | undefined) =>
      share === undefined ? undefined : Math.floor(share * (records.length + 1))
    const options = { ...step.options, from: at(step.from), to: at(step.to) }
    const result = await ended(collect(log, step.how, options))
    if (closed || ('error' in result && this.log.head !== undefined && result.error.code === 'VARVE_CLOSED')) {
      if (!closed && log === this.log && !this.#closed) this.wrong(`${now} was refused by an open log`)
      return this.refused(result, ['VARVE_CLOSED'], now)
    }
    const found: LogRecord<unknown>[] = this.value(result, now)
    for (const { offset, time } of found) {
      if ((this.#times.get(offset) ?? time) !== time) this.wrong(`time ${time} of record ${offset} was another one`)
      this.#times.set(offset, time)
    }
    const offsets = found.map(({ offset }) => offset)
    const sizes = Array.from({ length: log.head.size - least + 1 }, (_, more) => least + more)
    const fits = sizes.some(size => isDeepStrictEqual(offsets, range(options, size)))
    if (!fits) this.wrong(`${now} gave ${offsets} with a size of ${least} to ${log.head.size}`)
    for (const { offset, value } of found) this.same(value, records[offset], `record ${offset} of ${now}`)
    const rising = step.options.reverse ? found.toReversed() : found
    if (rising.some(({ time }, index) => index > 0 && time < rising[index - 1]!.time)) this.wrong('times fall')
  }

  async #get(offset: number): Promise<void> {
    const { log, now, records } = this
    const closed = this.#closed
    const least = log.head.size
    const result = await ended(log.get(offset))
    if (closed) return this.refused(result, ['VARVE_CLOSED'], now)
    if ('error' in result && this.#isGone(log)) return this.refused(result, ['VARVE_CLOSED'], now)
    const record = this.value(result, now)
    if (record === undefined) {
      if (offset < least) this.wrong(`record ${offset} of ${least} is not there`)
    } else {
      this.same([record.offset, record.value], [offset, records[offset]], `record ${offset}`)
    }
  }

  async #offsetAt(share: number, add: number): Promise<void> {
    if (this.#closed) return this.refused(await ended(this.log.offsetAt(0)), ['VARVE_CLOSED'], this.now)
    await this.#flush()
    await this.#read({ do: 'read', how: 'all', options: {}, wait: true })
    const times = this.records.map((_, offset) => this.#times.get(offset)!)
    const ms = (times[Math.floor(share * times.length)] ?? Date.now()) + add
    const first = times.findIndex(time => time >= ms)
    this.same(await this.log.offsetAt(ms), first < 0 ? times.length : first, `offsetAt(${ms})`)
  }

  async #flush(): Promise<void> {
    const { log, now } = this
    const closed = this.#closed
    const least = this.records.length
    const result = await ended(log.flush())
    if (closed) return this.refused(result, ['VARVE_CLOSED'], now)
    if ('error' in result && this.#isGone(log)) return this.refused(result, ['VARVE_CLOSED'], now)
    const head = this.value(result, now)
    if (head.size < least) this.wrong(`flush at ${least} resolved with ${head.size}`)
    this.head(head)
  }

  async #drained(): Promise<void> {
    const { log } = this
    await log.drained()
    const { maxPendingBytes } = this.#program.options
    // Others may append between the resolving and this line, but only up to the hard limit.
    if (log.pendingBytes > 4 * maxPendingBytes) this.wrong(`${log.pendingBytes} bytes are pending`)
  }

  #flushSync(): void {
    let error: any
    try {
      this.log.flushSync()
    } catch (thrown) {
      error = thrown
    }
    this.same(error?.code, this.#closed ? 'VARVE_CLOSED' : undefined, 'flushSync')
  }

  #close(wait: boolean): Promise<void> {
    this.#closed = true
    this.#closing = this.log.close()
    return this.#later(this.#closing as Promise<void>, wait)
  }

  async #reopen(): Promise<void> {
    await this.#settle()
    await this.#closing
    this.same([this.log.head.size, this.log.pendingBytes], [this.records.length, 0], 'after close')
    if (!this.#place.lasting) {
      this.records = []
      this.heads.clear()
      this.#times.clear()
    }
    await this.open()
  }

  async #verify(): Promise<void> {
    const least = this.log.head.size
    const heads = [...this.heads.values()]
    const result = await ended(this.log.verify({ expectHead: heads.at(-1) }))
    if (this.#closed) return this.refused(result, ['VARVE_CLOSED'], this.now)
    const report = this.value(result, this.now)
    this.same(
      [report.ok, report.problems, report.established],
      [true, [], heads.length > 0 ? 'receipt' : report.established],
      'verify',
    )
    if (report.records < least || report.records > this.records.length)
      this.wrong(`verify of ${report.records} records`)
    this.head(report.head)
  }

  /** Another log object that reads along, as another process would. */
  async #follow(): Promise<void> {
    if (this.#place.follow === undefined) return
    const least = this.log.head.size
    const reader = await this.#place.follow(this.#options)
    try {
      const found = await reader.read({ verify: true }).toArray()
      // With durability 'os' nothing is promised to a reader before a flush.
      if (found.length < least && this.#options.durability === 'disk')
        this.wrong(`a reader sees ${found.length} of ${least}`)
      for (const { offset, value } of found) this.same(value, this.records[offset], `record ${offset} of a reader`)
      this.head(reader.head)
    } finally {
      await reader.close()
    }
  }

  /** Whether the log was closed since the call was made. */
  #isGone(log: Log<any, any>): boolean {
    return this.#closed || log !== this.log
  }

  #bytes(value: any): number {
    if (this.#program.encoding === 'json') return Buffer.byteLength(JSON.stringify(value))
    return typeof value === 'string' ? Buffer.byteLength(value) : value.length
  }

  async #later(check: Promise<void>, wait: boolean): Promise<void> {
    if (wait) return check
    check.catch(() => {}) // looked at when all is settled
    this.#unsettled.push(check)
  }

  async #settle(): Promise<void> {
    for (const check of this.#unsettled.splice(0)) await check
  }
}
