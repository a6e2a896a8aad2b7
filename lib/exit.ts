/**
 * The one `exit` listener of an environment, there exactly while a log is open. It runs on `process.exit()`, an uncaught
 * error and a normal end, where no addon hook does; it does not run on SIGKILL or an unhandled SIGTERM, and nothing
 * durable depends on it.
 */

/** Milliseconds that exiting, or `flushSync`, may block. */
export const EXIT_TIMEOUT = 5_000

/** Returns what takes the listener away again. */
export function onExit(closeAll: () => void): () => void {
  const listener = () => {
    try {
      closeAll()
    } catch {
      // The process is ending: throwing here would change its exit code and help nobody.
    }
  }
  process.on('exit', listener)
  return () => {
    process.removeListener('exit', listener)
  }
}
