/** Ways to run later, captured at load, before anybody can patch them: no promise may depend on a test's clock. */
import * as timers from 'node:timers'

export const nextTick = process.nextTick
export const setImmediate = timers.setImmediate
