/** Abort signals, handled here and never by napi, which overwrites `onabort` and overlooks signals already aborted. */

/** Calls `listener` when `signal` aborts; returns what takes the listener away again. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}
