/** No store at all: a promise made for each append, and all of one turn of the event loop resolved in the next. */
export function openStore() {
  /** @type {(() => void)[]} */
  let waiting = []
  const resolveAll = () => {
    const ready = waiting
    waiting = []
    for (const resolve of ready) resolve()
  }
  return {
    append: () =>
      new Promise(resolve => {
        if (waiting.push(resolve) === 1) setImmediate(resolveAll)
      }),
    close() {},
  }
}
