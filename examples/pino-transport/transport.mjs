/**
 * A pino transport that writes log lines durably and tamper-evidently. It runs in pino's own worker thread, so the
 * service's event loop only hands lines over.
 *
 *   const logger = pino(pino.transport({ target: './transport.mjs', options: { dir: './data/logs' } }))
 *
 * Lines are stored as the text that pino made: nothing is parsed and nothing is lost. `appendAll` takes as many as the disk can
 * make durable and no more, so memory is bounded; when the service ends, pino ends the stream, and `close` flushes.
 */
import build from 'pino-abstract-transport'
import { open } from 'varve'

/** @param {{ dir: string }} options */
export default async function transport({ dir }) {
  const log = await open(dir, { encoding: 'utf8', lockTimeout: 5_000 })
  /** @param {AsyncIterable<any>} lines */
  const append = async lines => void (await log.appendAll(lines))
  return build(append, { parse: 'lines', parseLine: line => line, close: () => log.close() })
}
