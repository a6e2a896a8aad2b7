/** For logs that were damaged or not closed: what opening would repair, and a copy of what is sound. */
import { load } from './loader.js'
import { folder, verifyOptions } from './options.js'
import type { RecoveryPlan, RecoveryPlanOptions, SalvageOptions, SalvageReport } from './reports.js'
import { request, sessionOf } from './session.js'

/**
 * What `open` would repair before a writer goes on: nothing after a clean close, a torn tail after a crash. Changes nothing
 * and takes no lock.
 *
 * Rejects as `open` would: with `VARVE_CORRUPT` for damage that a crash cannot explain (`salvage` copies what is sound of
 * such a log), `VARVE_HEAD_MISMATCH`, `VARVE_WRONG_SECRET`, `VARVE_NOT_FOUND`, `VARVE_UNSUPPORTED`, `VARVE_IO`; and with
 * `VARVE_LOCKED` while a writer has the log, when there is nothing to recover.
 */
export async function planRecovery(dir: string | URL, options?: RecoveryPlanOptions): Promise<RecoveryPlan> {
  const path = folder(dir)
  const { native, signal } = verifyOptions(options, ['expectHead', 'secret', 'signal'])
  const session = sessionOf(load())
  return request(session, number => session.binding.planRecovery(number, path, native), { signal })
}

/**
 * Copies what is sound of the log in `from`, also of one that `open` refuses, into a new log in `to`, which must not
 * exist. `from` is only read. Records keep their bytes, order and times; those of one batch are copied all or none.
 *
 * The new log has another id, so heads and receipts of the old one say nothing of it, and offsets close up where
 * records are missing: `runs` tells which are where. In a log without a secret a sound record is one that agrees with itself; who
 * rewrote the files may have written it. `to` exists once all of it is durable; after a failure its beginnings are in
 * `to` with `.partial` behind it and can be removed.
 *
 * Rejects with `VARVE_INVALID` where `to` exists or lies in `from`, `VARVE_CORRUPT` where nothing can be copied,
 * `VARVE_LOCKED` while a writer has the log, `VARVE_NOT_FOUND`, `VARVE_WRONG_SECRET`, `VARVE_UNSUPPORTED` or `VARVE_IO`.
 */
export async function salvage(from: string | URL, to: string | URL, options?: SalvageOptions): Promise<SalvageReport> {
  const [source, target] = [folder(from), folder(to)]
  const { native, onProgress, signal } = verifyOptions(options, ['secret', 'signal', 'onProgress'])
  const session = sessionOf(load())
  const send = (number: number) => session.binding.salvage(number, source, target, native)
  return request(session, send, { signal, onProgress })
}
