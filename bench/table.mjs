/** Prints one workload. No figure stands without its spread and its ratio to the baseline of the same run. */

// Above this share of the CPU in other hands (the kernel's own threads need some), the table says so.
const BUSY = 0.15

/** @param {import('./types.d.ts').Outcome} outcome */
export function printTable({ name, title, unit, better, baseline, target, othersShare, sides }) {
  console.log(`\n${name}: ${title} (${unit}, ${better} is better; ratio to ${baseline})`)
  const width = Math.max(...Object.keys(sides).map(side => side.length))
  for (const [side, result] of Object.entries(sides)) {
    const label = `  ${side.padEnd(width)}`
    if (result.left !== undefined) {
      console.log(`${label}  left out: ${result.left}`)
      continue
    }
    const { value, ratio, cpuMicros } = result
    const figure = `${number(value.median).padStart(9)} (${number(value.low)} to ${number(value.high)})`
    const ratios = ratio ? `${times(ratio.median)} (${times(ratio.low)} to ${times(ratio.high)})` : 'no baseline'
    const verdict = side === 'varve' && target && ratio ? `; goal ${judge(ratio.median, target, othersShare)}` : ''
    console.log(
      `${label}  ${figure.padEnd(36)}  ${ratios.padEnd(22)}  CPU ${cpuMicros.toFixed(2)} µs a record${verdict}`,
    )
  }
  if (othersShare > BUSY) {
    console.log(
      `  Other processes used ${(othersShare * 100).toFixed(0)} % of the CPU meanwhile: do not rely on these figures.`,
    )
  }
}

/**
 * @param {number} ratio
 * @param {{ ratioMin?: number, ratioMax?: number }} target
 * @param {number} othersShare
 */
function judge(ratio, { ratioMin, ratioMax }, othersShare) {
  const goal = ratioMin === undefined ? `≤ ${ratioMax}×` : `≥ ${ratioMin}×`
  if (othersShare > BUSY) return `${goal}: not judged`
  return `${goal}: ${ratio >= (ratioMin ?? 0) && ratio <= (ratioMax ?? Infinity) ? 'met' : 'missed'}`
}

/** @param {number} value */
function number(value) {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 1_000 ? 1 : 0 })
}

/** @param {number} value */
function times(value) {
  return `${value.toFixed(2)}×`
}
