/** Bars for each workload, every one as a multiple of the workload's baseline. */
import { page, rect, short, styles, text } from './svg.mjs'

const BAR = 18
const GAP = 18
const LEFT = 170
const RIGHT = 210
const WIDTH = 860

/**
 * @typedef {import('../types.d.ts').Outcome} Outcome
 * @param {{ title: string, note: string }} about
 * @param {{ outcome: Outcome, sides: string[], heading: string }[]} groups
 */
export function bars(about, groups) {
  const shown = groups.map(({ outcome, sides, heading }) => ({
    heading,
    baseline: outcome.baseline,
    rows: sides.flatMap(side => {
      const result = outcome.sides[side]
      if (result === undefined || result.left !== undefined || result.ratio === undefined) return []
      const ratio = result.ratio.median
      return [{ side, ratio, label: `${short(ratio)}× · ${short(result.value.median)} ${outcome.unit}` }]
    }),
  }))
  const most = Math.max(...shown.flatMap(({ rows }) => rows.map(({ ratio }) => ratio)))
  const scale = (WIDTH - LEFT - RIGHT) / most
  const parts = []
  let y = 62
  for (const { heading, rows, baseline } of shown) {
    if (rows.length === 0) continue
    parts.push(text(16, y + 12, heading, { class: 'strong' }))
    y += 22
    for (const { side, ratio, label } of rows) {
      const { label: name = side, color = '#868e96' } = styles[side] ?? {}
      const own = side === baseline ? ' (= 1)' : ''
      parts.push(text(LEFT - 8, y + 12, `${name}${own}`, { anchor: 'end' }))
      parts.push(rect(LEFT, y + 2, Math.max(1, ratio * scale), BAR - 4, color))
      parts.push(text(LEFT + Math.max(1, ratio * scale) + 6, y + 12, label, { class: 'quiet' }))
      y += BAR
    }
    y += GAP
  }
  return page({ width: WIDTH, height: y, ...about }, parts)
}
