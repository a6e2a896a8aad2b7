/**
 * The `schema` option: each value goes through a Standard Schema before it is encoded, and what the schema returns is
 * stored. A value that is refused has taken nothing, and the message lists every issue with its path.
 */
import type { Codec } from './encoding.js'
import { describe, invalid, invalidType } from './errors.js'
import type { StandardSchema } from './types.js'

/** Issues listed in a message; of a long array of wrong values the rest says nothing new. */
const ISSUES_MAX = 10

/** As the specification has it; not trusted, since any library may have made it. */
interface Issue {
  readonly message?: unknown
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** `codec` behind the `schema` option; as it is without one. */
export function validating(codec: Codec, schema: unknown): Codec {
  if (schema === undefined) return codec
  if (codec.name !== 'json') throw invalid(`schema needs the encoding "json", got it with the encoding "${codec.name}"`)
  const { validate } = check(schema)
  return {
    name: codec.name,
    encode: (value, index) => codec.encode(validated(validate, value, index), index),
    decode: (bytes, start, end) => codec.decode(bytes, start, end),
    parse: codec.parse,
  }
}

function check(schema: any): StandardSchema['~standard'] {
  const must = 'a Standard Schema of version 1 (zod, valibot, arktype …)'
  if (schema === null || (typeof schema !== 'object' && typeof schema !== 'function')) {
    throw invalidType('schema', must, schema)
  }
  const standard = schema['~standard']
  if (standard?.version !== 1 || typeof standard.validate !== 'function') throw invalidType('schema', must, schema)
  return standard
}

function validated(validate: (value: unknown) => any, value: unknown, index: number): unknown {
  const label = index < 0 ? 'value' : `values[${index}]`
  let result: any
  try {
    result = validate(value)
  } catch (error) {
    throw invalid(
      `the schema cannot check ${label}: ${error instanceof Error ? error.message : describe(error)}`,
      error,
    )
  }
  if (typeof result?.then === 'function') {
    result.then(undefined, () => {}) // its failure is of no interest any more
    throw invalid('schema must validate synchronously, got a promise: appends keep the order of their calls')
  }
  if (typeof result !== 'object' || result === null) throw invalidType('what the schema returns', 'an object', result)
  if (result.issues === undefined) return result.value
  throw invalid(`${label} does not match the schema: ${list(result.issues)}`, result.issues)
}

function list(issues: readonly Issue[]): string {
  const lines = issues.slice(0, ISSUES_MAX).map(({ message, path }) => {
    const where = path === undefined ? '' : place(path)
    return where === '' ? String(message) : `${where}: ${String(message)}`
  })
  if (issues.length > ISSUES_MAX) lines.push(`and ${issues.length - ISSUES_MAX} more`)
  return lines.join('; ')
}

/** `user.tags[2]` */
function place(path: NonNullable<Issue['path']>): string {
  let text = ''
  for (const segment of path) {
    const key = typeof segment === 'object' ? segment.key : segment
    if (typeof key === 'number') text += `[${key}]`
    else text += text === '' ? String(key) : `.${String(key)}`
  }
  return text
}
