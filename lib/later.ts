/** Ways to run later, and the time, captured at load, before anybody can patch them: no promise may depend on a test's clock. */
import { performance } from 'node:perf_hooks'
import * as timers from 'node:timers'

export const nextTick = process.nextTick
export const setImmediate = timers.setImmediate
export const now: () => number = performance.now.bind(performance)
/** Resolves when whoever runs now, and all who wait for what is settled already, have run. */
export const turn = () => new Promise<void>(resolve => nextTick(resolve))
/** Resolves in the next turn of the event loop, once timers and sockets have had theirs. */
export const loopTurn = () => new Promise<void>(resolve => setImmediate(resolve))
