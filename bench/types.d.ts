/** What a peer offers, what a workload asks, and what comes of it. */

/** One side's log (bench/peers): appends resolve once the record is on the device. */
export interface Store {
  /** May be synchronous, and then returns nothing. */
  append(value: Buffer): Promise<unknown> | undefined
  appendBatch(values: Buffer[]): Promise<unknown>
  /** Every payload from the first on. */
  scan(touch: (payload: Uint8Array) => void): Promise<void>
  /** The same in runs of records, where there is such a way. */
  scanChunks(touch: (payload: Uint8Array) => void): Promise<void>
  /** Bytes written for what was appended since the log was opened; varve only. */
  storedBytes?(): number
  close(): unknown
}

/** Numbers that a workload sets for itself: how many rounds, and how much in each. */
export type Plan = { rounds: number } & Record<string, number>

export interface Context {
  side: string
  store: Store
  events: Buffer[]
  plan: Plan
}

/** `value` in the workload's unit; `records` for the CPU time of each. */
export interface Round {
  value: number
  records: number
  p99?: number
}

export interface Workload {
  title: string
  unit: string
  better: 'higher' | 'lower'
  /** In the order of the table. A peer's file name, or a variant of one (see side.mjs). */
  sides: string[]
  /** The side that all others are divided by. */
  baseline: string
  /** For varve, as a ratio to the baseline. */
  target?: { ratioMin?: number; ratioMax?: number }
  plan(quick: boolean): Plan
  /** Before the rounds. The options it returns are given to the sides that start later. */
  prepare?(context: Context): Promise<{ storeOptions?: object }>
  round(context: Context & { round: number }): Promise<Round>
}

export interface Spread {
  median: number
  low: number
  high: number
}

/** One side in the table and in the JSON file; `left` says why it has no figures. */
export type Result =
  | { left: string }
  | { left?: undefined; value: Spread; ratio?: Spread; cpuMicros: number; rounds: MeasuredRound[] }
export type MeasuredRound = Round & { cpuMicros: number }

export interface Outcome extends Pick<Workload, 'title' | 'unit' | 'better' | 'baseline' | 'target'> {
  name: string
  plan: Plan
  storeOptions?: object
  /** Share of the machine's CPU time that went to processes other than the bench. */
  othersShare: number
  sides: Record<string, Result>
}
