/** Panels with lines over two scales, each linear or logarithmic, side by side; one legend for all. */
import { line, page, path, short, styles, text } from './svg.mjs'

const WIDTH = 860
const TOP = 118
const HEIGHT = 260
const LEFT = 62
const BETWEEN = 62
const RIGHT = 30

/**
 * @typedef {{ side: string, points: [number, number][] }} Series
 * @typedef {{ title: string, log: boolean, ticks?: number[], format?: (value: number) => string, min?: number }} Scale
 * @typedef {{ x: Scale, y: Scale, series: Series[], dots: boolean }} Panel
 * @param {{ title: string, note: string }} about
 * @param {Panel[]} panels
 */
export function lines(about, panels) {
  const width = (WIDTH - LEFT - RIGHT - BETWEEN * (panels.length - 1)) / panels.length
  const parts = legend(panels)
  for (const [index, panel] of panels.entries()) parts.push(...draw(panel, LEFT + index * (width + BETWEEN), width))
  return page({ width: WIDTH, height: TOP + HEIGHT + 50, ...about }, parts)
}

/** In rows that the page's width allows. @param {Panel[]} panels */
function legend(panels) {
  const sides = [...new Set(panels.flatMap(({ series }) => series.map(({ side }) => side)))]
  let [x, y] = [16, 62]
  return sides.flatMap(side => {
    const style = styles[side]
    const width = 44 + style.label.length * 6.8
    if (x + width > WIDTH) [x, y] = [16, y + 20]
    const at = x
    x += width
    const sample = path(
      [
        [at, y],
        [at + 20, y],
      ],
      style,
      false,
    )
    return [sample, text(at + 26, y + 4, style.label)]
  })
}

/**
 * @param {Panel} panel
 * @param {number} left
 * @param {number} width
 */
function draw({ x, y, series, dots }, left, width) {
  const across = scale(
    x,
    series.flatMap(({ points }) => points.map(([value]) => value)),
    left,
    left + width,
  )
  const up = scale(
    y,
    series.flatMap(({ points }) => points.map(([, value]) => value)),
    TOP + HEIGHT,
    TOP,
  )
  const parts = [text(left - 46, TOP - 10, y.title, { class: 'quiet' })]
  parts.push(text(left + width, TOP + HEIGHT + 38, x.title, { class: 'quiet', anchor: 'end' }))
  for (const tick of up.ticks) {
    parts.push(line(left, up.at(tick), left + width, up.at(tick), 'grid'))
    parts.push(text(left - 6, up.at(tick) + 4, (y.format ?? short)(tick), { class: 'quiet', anchor: 'end' }))
  }
  for (const tick of across.ticks) {
    parts.push(line(across.at(tick), TOP + HEIGHT, across.at(tick), TOP + HEIGHT + 4, 'grid'))
    parts.push(
      text(across.at(tick), TOP + HEIGHT + 18, (x.format ?? short)(tick), { class: 'quiet', anchor: 'middle' }),
    )
  }
  // The first is the one to look at: it is drawn over the others.
  for (const { side, points } of series.toReversed()) {
    parts.push(
      path(
        points.map(([a, b]) => [across.at(a), up.at(b)]),
        styles[side],
        dots,
      ),
    ) // prettier-ignore
  }
  return parts
}

/**
 * @param {Scale} scale
 * @param {number[]} values
 * @param {number} from
 * @param {number} to
 */
function scale({ log, ticks: given, min }, values, from, to) {
  const map = log ? Math.log10 : (/** @type {number} */ value) => value
  const all = [...values, ...(given ?? [])]
  const low = min ?? (log ? Math.min(...all) : 0)
  const ticks = given ?? (log ? decades(low, Math.max(...all)) : steps(Math.max(...all)))
  const [start, end] = [map(Math.min(low, ...ticks)), map(Math.max(...all, ...ticks))]
  const at = (/** @type {number} */ value) => from + ((map(value) - start) / (end - start)) * (to - from)
  return { ticks, at }
}

/** Powers of ten; within two of them also their double and their fivefold. @type {(low: number, high: number) => number[]} */
function decades(low, high) {
  const factors = high / low > 100 ? [1] : [1, 2, 5]
  const ticks = []
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of factors) ticks.push(factor * 10 ** power)
  }
  const first = ticks.findLastIndex(tick => tick <= low)
  return ticks.slice(Math.max(0, first), ticks.findIndex(tick => tick >= high) + 1)
}

/** @param {number} high */
function steps(high) {
  const rough = high / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(factor => factor * power).find(step => step >= rough) ?? rough
  return Array.from({ length: Math.ceil(high / step) + 1 }, (_, index) => index * step)
}
