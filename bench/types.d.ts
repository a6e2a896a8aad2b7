/** What a peer offers, what a workload asks, and what comes of it. */

export type Log = import('../lib/index.js').Log<any, any>

/** One side's log (bench/peers): appends resolve once the record is on the device. */
export interface Store {
  /** May be synchronous, and then returns nothing. */
  append(value: Buffer): Promise<unknown> | undefined
  appendBatch(values: Buffer[]): Promise<unknown>
  /** Every payload from the first on. */
  scan(touch: (payload: Uint8Array) => void): Promise<void>
  /** The same in runs of records, where there is such a way. */
  scanChunks(touch: (payload: Uint8Array) => void): Promise<void>
  /** The payload at an offset. */
  get(offset: number): Promise<Uint8Array> | Uint8Array
  /** The log itself; varve only. */
  log?: Log
  /** Opens more of them; varve only. */
  open?(dir: string, options?: import('../lib/index.js').OpenOptions): Promise<Log>
  /** Runs a command of bench/native, which then is the round; native sides only. */
  run?(command: string, args: Record<string, string | number>): Round
  close(): unknown
}

/** Numbers that a workload sets for itself: how many rounds, how many before them to warm up, and how much in each. */
export type Plan = { rounds: number; warmUp?: number } & Record<string, number>

export interface Context {
  side: string
  store: Store
  events: Buffer[]
  plan: Plan
  /** Of this side alone; may not exist yet. */
  dir: string
  /** What the sides before this one found out in `prepare`; the peer gets it as options, too. */
  found: Record<string, any>
}

/** `value` in the workload's unit; `records` for the CPU time of each. */
export interface Round {
  value: number
  records: number
  /** Of processes other than the side's own: a record's share, and all that they used, warming up included. */
  cpuMicros?: number
  ownMicros?: number
  /** More figures, by name and unit: `'p99 µs'`. */
  extra?: Record<string, number>
  /** Single latencies, of which a distribution is made. */
  samples?: number[]
  /** A curve: [x, y]. */
  points?: [number, number][]
}

/** What a workload should reach. Taken within each round; the median counts, and of several figures the least. */
export interface Goal {
  what: string
  /** The sides that it compares. */
  of: string[]
  value(rounds: Record<string, MeasuredRound>): number | number[]
  unit: string
  min?: number
  max?: number
}

export interface Workload {
  title: string
  unit: string
  better: 'higher' | 'lower'
  /** In the order of the table. A peer's file name, or a variant of one (see sides.mjs). */
  sides: string[]
  /** The side that all others are divided by. */
  baseline: string
  goals: Goal[]
  /** Its rounds run processes of their own: who used the processor cannot be told. */
  spawns?: boolean
  plan(quick: boolean): Plan
  /** Before the rounds. What it returns is found by the sides that start later. */
  prepare?(context: Context): Promise<object>
  round(context: Context & { round: number }): Promise<Round> | Round
  finish?(context: Context): Promise<void>
}

export interface Spread {
  median: number
  low: number
  high: number
}

/** One side in the table and in the JSON file; `left` says why it has no figures. */
export type Result =
  | { left: string }
  | {
      left?: undefined
      value: Spread
      ratio?: Spread
      cpuMicros: number
      extra: Record<string, number>
      /** Quantiles of all samples: [fraction, value]. */
      distribution?: [number, number][]
      points?: [number, number][]
      rounds: MeasuredRound[]
    }
export type MeasuredRound = Round & { cpuMicros: number }

export interface Verdict {
  what: string
  unit: string
  min?: number
  max?: number
  /** Why it could not be taken. */
  left?: string
  value?: Spread
  met?: boolean
}

export interface Outcome extends Pick<Workload, 'title' | 'unit' | 'better' | 'baseline'> {
  name: string
  plan: Plan
  found: object
  /** Share of the machine's CPU time that went to processes other than the bench; 0 where it cannot be told. */
  othersShare: number
  /** GB a second from processor to processor, before and after (bench/native/src/processors.rs). */
  exchanged: (number | undefined)[]
  seconds: number
  sides: Record<string, Result>
  goals: Verdict[]
}
