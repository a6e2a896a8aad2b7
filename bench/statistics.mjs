/** Medians and quartiles: rounds on a shared machine have outliers, so no mean is ever taken. */

/**
 * @param {number[]} values
 * @param {number} fraction 0.5 is the median
 */
export function quantile(values, fraction) {
  return quantileOf(Float64Array.from(values).sort(), fraction)
}

/** @param {number[]} values */
export function summarize(values) {
  return { median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75) }
}

/**
 * Enough quantiles to draw the distribution up to its tail.
 *
 * @param {number[]} values
 * @returns {[fraction: number, value: number][]}
 */
export function distribution(values) {
  const sorted = Float64Array.from(values).sort()
  const fractions = Array.from({ length: 99 }, (_, index) => (index + 1) / 100)
  return [...fractions, 0.995, 0.998, 0.999].map(fraction => [fraction, quantileOf(sorted, fraction)])
}

/**
 * @param {Float64Array} sorted
 * @param {number} fraction
 */
function quantileOf(sorted, fraction) {
  const position = (sorted.length - 1) * fraction
  const low = sorted[Math.floor(position)]
  return low + (sorted[Math.ceil(position)] - low) * (position - Math.floor(position))
}
