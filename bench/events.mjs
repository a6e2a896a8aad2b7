/** Audit events as a service would log them: JSON of exactly 256 bytes, the same ones in every run. */
const EVENT_BYTES = 256

const actions = [
  'invoice.read',
  'invoice.update',
  'user.login',
  'user.invite',
  'key.rotate',
  'report.export',
  'role.grant',
]
const words =
  'account amount changed by owner after review of the quarterly limit request approved for customer in region with note pending second check'.split(
    ' ',
  )

/**
 * Buffers of their own, as if each had come from JSON.stringify. Callers use them in a circle: 16,384 events are 4 MiB,
 * far more than a compressor looks back.
 *
 * @param {number} [count]
 */
export function auditEvents(count = 16_384) {
  const random = mulberry32(20_261_123)
  return Array.from({ length: count }, (_, index) => auditEvent(index, random))
}

/**
 * @param {number} index
 * @param {() => number} random
 */
function auditEvent(index, random) {
  const below = (/** @type {number} */ limit) => Math.floor(random() * limit)
  const event = {
    id: hex(below, 16),
    at: new Date(Date.UTC(2026, 10, 23) + index * 37 + below(30)).toISOString(),
    actor: `user-${below(5_000)}`,
    ip: `10.${below(4)}.${below(256)}.${below(256)}`,
    action: actions[below(actions.length)],
    object: `inv_${hex(below, 10)}`,
    ok: below(20) > 0,
    ms: below(400),
    detail: '',
  }
  const room = EVENT_BYTES - JSON.stringify(event).length
  let detail = ''
  while (detail.length < room) detail += `${words[below(words.length)]} `
  return Buffer.from(JSON.stringify({ ...event, detail: detail.slice(0, room) }))
}

/**
 * @param {(limit: number) => number} below
 * @param {number} digits
 */
function hex(below, digits) {
  return Array.from({ length: digits }, () => below(16).toString(16)).join('')
}

/** @param {number} seed */
function mulberry32(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
