import { type } from 'arktype'
import * as v from 'valibot'
import { expect, expectTypeOf, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { type Log, open, openMemory, type StandardSchema } from '../../lib/index.js'
import { newPath } from '../support/temp.js'

interface Input {
  user: { name: string; tags?: string[] | undefined }
  level?: number | undefined
}
interface Output {
  user: { name: string; tags?: string[] | undefined }
  level: number
}

const schemas = {
  zod: z.object({
    user: z.object({ name: z.string(), tags: z.array(z.string()).optional() }),
    level: z.number().default(1),
  }),
  valibot: v.object({
    user: v.object({ name: v.string(), tags: v.optional(v.array(v.string())) }),
    level: v.optional(v.number(), 1),
  }),
  arktype: type({ user: { name: 'string', 'tags?': 'string[]' }, level: 'number = 1' }),
}

const cases = Object.entries(schemas) as [string, StandardSchema<Input, Output>][]

async function openWith(schema: StandardSchema<Input, Output>, dir = newPath()): Promise<Log<Input, Output>> {
  const log = await open(dir, { encoding: 'json', schema })
  onTestFinished(() => log.close())
  return log
}

test.each(cases)('%s: what the schema returns is stored', async (_, schema) => {
  const log = await openWith(schema)
  await log.append({ user: { name: 'ada' } })
  await log.appendBatch([{ user: { name: 'bob', tags: ['x'] }, level: 3 }, { user: { name: 'cyd' } }])
  expect((await log.read().toArray()).map(({ value }) => value)).toEqual([
    { user: { name: 'ada' }, level: 1 },
    { user: { name: 'bob', tags: ['x'] }, level: 3 },
    { user: { name: 'cyd' }, level: 1 },
  ])
})

test.each(cases)('%s: what it refuses takes nothing, and every issue is listed with its path', async (_, schema) => {
  const log = await openWith(schema)
  const wrong = { user: { name: 7, tags: ['a', 'b', 3] }, level: 'high' } as unknown as Input
  const refused = await log.append(wrong).then(
    () => expect.fail('taken'),
    error => error,
  )
  expect(refused).toBeInstanceOf(TypeError)
  expect(refused).toMatchObject({ code: 'VARVE_INVALID', cause: expect.any(Array) })
  expect(refused.message).toMatch(/^value does not match the schema: /)
  expect(refused.message).toMatch(/user\.name: /)
  expect(refused.message).toMatch(/user\.tags\[2\]: /)
  expect(refused.message).toMatch(/level: /)
  const batch = log.appendBatch([{ user: { name: 'ada' } }, wrong])
  await expect(batch).rejects.toThrow(/^values\[1\] does not match the schema: /)
  expect(await log.append({ user: { name: 'ada' } })).toMatchObject({ offset: 0 })
})

test('sources and streams are checked too', async () => {
  const log = await openWith(schemas.zod)
  const wrong = [{ user: { name: 'ada' } }, {} as Input]
  await expect(log.appendAll(wrong)).rejects.toMatchObject({ code: 'VARVE_INVALID', progress: { count: 1 } })
  const writer = log.writable().getWriter()
  writer.closed.catch(() => {})
  await expect(writer.write({} as Input)).rejects.toThrow(/user: /)
})

test('transformed values are stored as the schema gives them', async () => {
  const schema = z.object({ at: z.coerce.string(), tags: z.string().transform(text => text.split(',')) })
  const log = await openMemory({ encoding: 'json', schema })
  await log.append({ at: 7, tags: 'a,b' })
  expect((await log.get(0))!.value).toEqual({ at: '7', tags: ['a', 'b'] })
  await log.close()
})

test('an asynchronous schema is a TypeError, whether it would accept or reject', async () => {
  const log = await openMemory({ encoding: 'json', schema: z.string().refine(async text => text !== '') })
  for (const value of ['a', '']) {
    await expect(log.append(value)).rejects.toMatchObject({ name: 'TypeError', code: 'VARVE_INVALID' })
  }
  await expect(log.append('a')).rejects.toThrow(/synchronously/)
  expect(log.head.size).toBe(0)
  await log.close()
})

test('what a schema throws becomes the cause of a TypeError', async () => {
  const cause = new Error('broken')
  const validate = () => {
    throw cause
  }
  const log = await openMemory({ encoding: 'json', schema: { '~standard': { version: 1, vendor: 'test', validate } } })
  await expect(log.append(1)).rejects.toMatchObject({ name: 'TypeError', code: 'VARVE_INVALID', cause })
  await log.close()
})

test('a long list of issues is cut', async () => {
  const log = await openMemory({ encoding: 'json', schema: z.array(z.string()) })
  const wrong = Array.from({ length: 1_000 }, (_, n) => n) as unknown as string[]
  const error: Error = await log.append(wrong).catch(error => error)
  expect(error.message).toMatch(/\[9\]: .*; and 990 more$/)
  await log.close()
})

test('schema needs the encoding json and a Standard Schema', async () => {
  for (const [options, message] of [
    [{ schema: schemas.zod }, /schema needs the encoding "json", got it with the encoding "buffer"/],
    [{ encoding: 'utf8', schema: schemas.zod }, /encoding "utf8"/],
    [{ encoding: 'json', schema: null }, /schema must be a Standard Schema of version 1/],
    [{ encoding: 'json', schema: {} }, /schema must be/],
    [{ encoding: 'json', schema: { '~standard': { version: 2, validate() {} } } }, /schema must be/],
  ] as const) {
    await expect(open(newPath(), options as any)).rejects.toThrow(message)
  }
})

// Checked by `npm run check`; at run time they do nothing.
test('types are inferred from the schema', () => {
  const types = async (dir: string) => {
    const a = await open(dir, { encoding: 'json', schema: schemas.zod })
    expectTypeOf(a.append).parameter(0).toEqualTypeOf<z.input<typeof schemas.zod>>()
    expectTypeOf((await a.get(0))!.value).toEqualTypeOf<z.output<typeof schemas.zod>>()
    expectTypeOf((await a.get(0))!.value.level).toEqualTypeOf<number>()

    const b = await open(dir, { encoding: 'json', schema: schemas.valibot })
    expectTypeOf(b.append).parameter(0).toEqualTypeOf<v.InferInput<typeof schemas.valibot>>()
    expectTypeOf((await b.get(0))!.value).toEqualTypeOf<v.InferOutput<typeof schemas.valibot>>()

    const c = await open(dir, { encoding: 'json', schema: schemas.arktype })
    expectTypeOf(c.append).parameter(0).toEqualTypeOf<typeof schemas.arktype.inferIn>()
    expectTypeOf((await c.get(0))!.value).toEqualTypeOf<typeof schemas.arktype.infer>()

    const memory = await openMemory({ encoding: 'json', schema: z.string().transform(Number) })
    expectTypeOf(memory).toEqualTypeOf<Log<string, number>>()
    expectTypeOf(memory.tail()).toExtend<AsyncIterable<{ value: number }>>()

    // Without a schema nothing changes.
    expectTypeOf(await open<Input>(dir, { encoding: 'json' })).toEqualTypeOf<Log<Input>>()
    expectTypeOf(await open(dir)).toEqualTypeOf<Log<Uint8Array, Buffer>>()
    expectTypeOf(await open(dir, { encoding: 'utf8' })).toEqualTypeOf<Log<string>>()
    // @ts-expect-error a schema needs the encoding 'json'
    await open(dir, { encoding: 'utf8', schema: schemas.zod })
    // @ts-expect-error no schema
    await open(dir, { encoding: 'json', schema: {} })
    // @ts-expect-error not what the schema takes
    await a.append({ user: 'ada' })
  }
  expect(types).toBeTypeOf('function')
})
