/**
 * `writable`: a log as a Web stream. A chunk is one record; it is taken at once and written on while earlier ones become
 * durable, so a stream costs as many syncs as `appendAll`, not one for each chunk.
 *
 * Invariant: whoever awaits `close` knows that everything is on the device, and whoever awaits `abort` that nothing of
 * this stream is still on its way.
 */
import { WritableStream, type WritableStreamDefaultController } from 'node:stream/web'
import { Progress, TURN_BYTES } from './append-all.js'
import { withProgress } from './errors.js'
import { loopTurn } from './later.js'
import type { Writer } from './writer.js'

/** The types of Node 20 do not know the signal, which every runtime has. */
type Controller = WritableStreamDefaultController & { readonly signal?: AbortSignal }

export function writable<In>(writer: Writer, flush: () => Promise<unknown>): WritableStream<In> {
  const progress = new Progress(writer, undefined)
  let taken = 0

  function write(value: In, controller: Controller): void | Promise<void> {
    if (writer.pending.isFull) {
      return writer.pending.drained(controller.signal).then(() => write(value, controller))
    }
    try {
      progress.throwIfFailed()
      taken += writer.take(value, progress)
    } catch (error) {
      return settled(error)
    }
    progress.waiting++
    if (taken < TURN_BYTES) return
    taken = 0
    return loopTurn()
  }

  /** Rejects with `error` once it is known what is durable. */
  async function settled(error: unknown): Promise<never> {
    await progress.idle()
    throw withProgress(error, progress.now())
  }

  return new WritableStream<In>({
    start(controller) {
      // The log may fail while nobody writes.
      progress.onError = error => settled(error).catch(reason => controller.error(reason))
      try {
        writer.admitCall()
      } catch (error) {
        controller.error(error)
      }
    },
    write,
    async close() {
      try {
        progress.throwIfFailed()
        await flush()
      } catch (error) {
        return settled(error)
      }
    },
    async abort() {
      await progress.idle()
      progress.throwIfFailed()
    },
  })
}
