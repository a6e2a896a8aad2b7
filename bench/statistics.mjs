/** Medians and quartiles: rounds on a shared machine have outliers, so no mean is ever taken. */

/**
 * @param {number[]} values
 * @param {number} fraction 0.5 is the median
 */
export function quantile(values, fraction) {
  const sorted = Float64Array.from(values).sort()
  const position = (sorted.length - 1) * fraction
  const low = sorted[Math.floor(position)]
  return low + (sorted[Math.ceil(position)] - low) * (position - Math.floor(position))
}

/** @param {number[]} values */
export function summarize(values) {
  return { median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75) }
}
