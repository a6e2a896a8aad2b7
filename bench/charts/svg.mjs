/** Small SVG files by hand: text, marks, and colours that can be read on a light page and on a dark one. */

/** A colour and a name for each side, the same in all charts. */
export const styles = /** @type {Record<string, { label: string, color: string, dash?: string }>} */ ({
  varve: { label: 'varve', color: '#d9480f' },
  'varve-none': { label: 'varve, no compression', color: '#f08c00' },
  'varve-each': { label: 'varve, one by one', color: '#f08c00' },
  lmdb: { label: 'lmdb', color: '#1c7ed6' },
  'better-sqlite3': { label: 'better-sqlite3', color: '#2f9e44' },
  'classic-level': { label: 'classic-level', color: '#9c36b5' },
  fs: { label: 'fs + SHA-256 chain', color: '#868e96' },
  seed: { label: 'kimberlite-storage', color: '#9c36b5' },
  floor: { label: 'write at the end + fdatasync', color: '#868e96', dash: '6 4' },
  'floor-filled': { label: 'write into filled space + fdatasync', color: '#868e96', dash: '2 3' },
  device: { label: 'device, O_DIRECT', color: '#868e96', dash: '6 4' },
  lz4: { label: 'LZ4 alone, one core', color: '#868e96' },
})

/**
 * @param {{ width: number, height: number, title: string, note: string }} frame
 * @param {string[]} parts
 */
export function page({ width, height, title, note }, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 12px -apple-system, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.quiet { fill: #59636e; }
.strong { font-weight: 600; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .quiet { fill: #9198a1; }
  .grid { stroke: #3d444d; }
}
</style>
${text(16, 24, title, { class: 'title' })}
${text(16, 42, note, { class: 'quiet' })}
${parts.join('\n')}
</svg>
`
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} content
 * @param {{ class?: string, anchor?: 'start' | 'middle' | 'end' }} [options]
 */
export function text(x, y, content, { class: name, anchor = 'start' } = {}) {
  const attributes = `${name ? ` class="${name}"` : ''}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}`
  return `<text x="${round(x)}" y="${round(y)}"${attributes}>${escaped(content)}</text>`
}

/** @type {(x: number, y: number, width: number, height: number, color: string) => string} */
export function rect(x, y, width, height, color) {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="2" fill="${color}"/>`
}

/** @type {(x1: number, y1: number, x2: number, y2: number, name: string) => string} */
export function line(x1, y1, x2, y2, name) {
  return `<line class="${name}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`
}

/**
 * @param {[x: number, y: number][]} points
 * @param {{ color: string, dash?: string }} style
 * @param {boolean} dots
 */
export function path(points, { color, dash }, dots) {
  const at = points.map(([x, y]) => `${round(x)},${round(y)}`)
  const marks = dots ? points.map(([x, y]) => `<circle cx="${round(x)}" cy="${round(y)}" r="3" fill="${color}"/>`) : []
  const dashes = dash ? ` stroke-dasharray="${dash}"` : ''
  return [
    `<polyline points="${at.join(' ')}" fill="none" stroke="${color}" stroke-width="${dash ? 1.5 : 2}"${dashes}/>`,
    ...marks,
  ].join('\n')
}

/**
 * Three digits that count, with k and M.
 *
 * @param {number} value
 */
export function short(value) {
  const [divisor, unit] = value >= 1e6 ? [1e6, ' M'] : value >= 1e4 ? [1e3, ' k'] : [1, '']
  const scaled = value / Number(divisor)
  const digits = scaled === 0 ? 0 : Math.min(2, Math.max(0, 2 - Math.floor(Math.log10(scaled) + 1e-9)))
  return `${Number(scaled.toFixed(digits)).toLocaleString('en-US')}${unit}`
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
