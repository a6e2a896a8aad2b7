/** The goals that most workloads have: one side's value over another's, and a figure of one side. */

/**
 * @typedef {import('./types.d.ts').Goal} Goal
 * @typedef {{ min: number } | { max: number }} Limit
 */

/**
 * @param {string} what
 * @param {[side: string, by: string]} sides
 * @param {Limit} limit
 * @returns {Goal}
 */
export function ratio(what, [side, by], limit) {
  return { what, of: [side, by], value: rounds => rounds[side].value / rounds[by].value, unit: '×', ...limit }
}

/**
 * A side's value, or with `name` one of its other figures.
 *
 * @param {string} what
 * @param {string} side
 * @param {string} unit
 * @param {Limit} limit
 * @param {string} [name]
 * @returns {Goal}
 */
export function figure(what, side, unit, limit, name) {
  const of = (/** @type {import('./types.d.ts').MeasuredRound} */ round) =>
    name === undefined ? round.value : (round.extra?.[name] ?? Number.NaN)
  return { what, of: [side], value: rounds => of(rounds[side]), unit, ...limit }
}

/** How late timers fire while the side is at work: see delay.mjs. @param {string} side @param {string} [of] */
export function delayGoal(side, of = '') {
  return figure(`event loop delay p99${of}`, side, 'ms', { max: 2 }, 'event loop p99 ms')
}
