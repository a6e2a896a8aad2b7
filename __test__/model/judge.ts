/**
 * What a random program's calls are compared by: how each ended, and whether it may end so. A violation is thrown, with the step
 * that it was found in.
 */
import { isDeepStrictEqual } from 'node:util'
import { type Head, VarveError } from '../../lib/index.js'

/** What the programs met: a model that never meets a full log proves nothing about full logs. */
export const facts: Record<string, number> = {}
export const count = (what: string, times = 1) => {
  facts[what] = (facts[what] ?? 0) + times
}

/** How a call ended. */
export type Ended<T> = { value: T } | { error: any }

export class Judge {
  /** The step that is being taken. */
  now = 'open'
  /** One head for each size, whoever tells it. */
  readonly heads = new Map<number, Head>()

  /** The same size has the same head for ever. */
  head(head: Head): void {
    const known = this.heads.get(head.size)
    if (known !== undefined) this.same(head, known, `the head at ${head.size}`)
    this.heads.set(head.size, head)
  }

  value<T>(result: Ended<T>, where: string): T {
    if ('error' in result) throw new Error(`${where} was refused: ${result.error?.stack}`)
    return result.value
  }

  refused(result: Ended<unknown>, faults: string[], where: string): void {
    if (!('error' in result)) throw new Error(`${where} was not refused, with ${faults.join(' and ')} in it`)
    const { error } = result
    const name = error instanceof VarveError ? error.code : error.name
    count(name)
    if (!faults.includes(name))
      throw new Error(`${where} is refused with ${name}, not ${faults.join(' or ')}: ${error.stack}`)
    if (!(error instanceof VarveError)) this.same(error.code, 'VARVE_INVALID', 'code of misuse')
  }

  same(found: unknown, expected: unknown, what: string): void {
    if (!isDeepStrictEqual(found, expected)) this.wrong(`${what} is ${show(found)}, not ${show(expected)}`)
  }

  wrong(what: string): never {
    throw new Error(`${this.now}: ${what}`)
  }
}

const show = (value: unknown) => JSON.stringify(value)?.slice(0, 500)

export function ended<T>(promise: Promise<T>): Promise<Ended<T>> {
  return promise.then(
    value => ({ value }),
    error => ({ error }),
  )
}
