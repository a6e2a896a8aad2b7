/** Prints one workload. No figure stands without its spread and its ratio to the baseline of the same run. */

// Above this share of the CPU in other hands (the kernel's own threads need some), the table says so.
const BUSY = 0.15

/** @param {import('./types.d.ts').Outcome} outcome */
export function printTable({ name, title, unit, better, baseline, othersShare, seconds, sides, goals }) {
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
  for (const goal of goals) console.log(`  goal: ${verdict(goal, othersShare)}`)
  if (othersShare > BUSY) {
    console.log(
      `  Other processes used ${(othersShare * 100).toFixed(0)} % of the CPU meanwhile: do not rely on these figures.`,
    )
  }
}

/**
 * @param {import('./types.d.ts').Verdict} goal
 * @param {number} othersShare
 */
function verdict({ what, unit, min, max, left, value, met }, othersShare) {
  const bounds = [
    min === undefined ? [] : `≥ ${number(min)} ${unit}`,
    max === undefined ? [] : `≤ ${number(max)} ${unit}`,
  ]
  const goal = `${what} ${bounds.flat().join(', ')}`
  if (value === undefined) return `${goal}: not measured, ${left}`
  const judged = othersShare > BUSY ? 'not judged' : met ? 'met' : 'MISSED'
  return `${goal}: ${spread(value)} ${judged}`
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
function number(value) {
  const digits = value === 0 ? 0 : Math.min(3, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))))
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}
