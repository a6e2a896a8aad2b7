/** The sides that are not simply a peer: the same peer used differently, and the commands of bench/native. */

/** @type {Record<string, { peer?: string, options?: object }>} */
const variants = {
  'varve-none': { peer: 'varve', options: { compression: 'none' } },
  'varve-cached': { peer: 'varve', options: { cacheBytes: 512 << 20 } },
  'varve-each': { peer: 'varve' },
  'round-trip': { peer: 'varve' },
  'floor-filled': { peer: 'floor', options: { filled: true } },
  parse: { peer: 'promise' },
  device: { peer: 'native' },
  'device-none': { peer: 'native' },
  lz4: { peer: 'native' },
  rust: { peer: 'native' },
  'rust-none': { peer: 'native' },
  seed: { peer: 'native' },
  'stage-1': { peer: 'native' },
  'stage-1-none': { peer: 'native' },
  threads: { peer: 'native' },
}

/**
 * The peer of a side, and the options it is opened with. What follows an `@` is for the workload: `varve@1024`.
 *
 * @param {string} side
 */
export function peerOf(side) {
  const [name] = side.split('@')
  const { peer = name, options = {} } = variants[name] ?? {}
  return { peer, options }
}
