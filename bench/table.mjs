/** Prints one workload. No figure stands without its spread and its ratio to the baseline of the same run. */

// Above this share of the CPU in other hands (the kernel's own threads need some), the table says so.
const BUSY = 0.25

/** @param {import('./types.d.ts').Outcome} outcome */
export function printTable({ name, title, unit, better, baseline, othersShare, exchanged, seconds, sides, goals }) {
  console.log(`\n${name}: ${title} (${unit}, ${better} is better; ratio to ${baseline}; ${seconds.toFixed(0)} s)`)
  const width = Math.max(...Object.keys(sides).map(side => side.length))
  for (const [side, result] of Object.entries(sides)) {
    const label = `  ${side.padEnd(width)}`
    if (result.left !== undefined) {
      console.log(`${label}  left out: ${result.left}`)
      continue
    }
    const { value, ratio, cpuMicros, extra, points } = result
    const ratios = ratio ? `${number(ratio.median)}× (${number(ratio.low)} to ${number(ratio.high)})` : 'no baseline'
    const more = Object.entries(extra).map(([what, value]) => `; ${what} ${number(value)}`)
    console.log(
      `${label}  ${spread(value).padEnd(36)}  ${ratios.padEnd(24)}  CPU ${cpuMicros.toFixed(2)} µs a record${more.join('')}`,
    )
    if (points)
      console.log(`${' '.repeat(width + 4)}${points.map(([x, y]) => `${number(x)}: ${number(y)}`).join('; ')}`)
  }
  for (const goal of goals) {
    const { bound, judged } = verdict(goal, othersShare)
    console.log(`  goal: ${goal.what} ${bound}: ${goal.value ? `${spread(goal.value)} ` : ''}${judged}`)
  }
  const [before, after] = exchanged
  if (before !== undefined && after !== undefined) {
    console.log(`  From processor to processor: ${number(before)} GB/s before, ${number(after)} GB/s after.`)
  }
  if (othersShare > BUSY) {
    console.log(
      `  Other processes used ${(othersShare * 100).toFixed(0)} % of the CPU meanwhile: do not rely on these figures.`,
    )
  }
}

/**
 * The bound of a goal, and what became of it.
 *
 * @param {import('./types.d.ts').Verdict} goal
 * @param {number} othersShare
 */
export function verdict({ unit, min, max, left, met }, othersShare) {
  const bound = min === undefined ? `≤ ${number(max ?? Number.NaN)} ${unit}` : `≥ ${number(min)} ${unit}`
  if (left !== undefined) return { bound, judged: `not measured, ${left}` }
  return { bound, judged: othersShare > BUSY ? 'not judged' : met ? 'met' : 'MISSED' }
}

/** @param {import('./types.d.ts').Spread} spread */
function spread({ median, low, high }) {
  return `${number(median)} (${number(low)} to ${number(high)})`
}

/**
 * Three digits that count.
 *
 * @param {number} value
 */
export function number(value) {
  const digits = Number.isInteger(value) ? 0 : Math.min(3, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))))
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}
