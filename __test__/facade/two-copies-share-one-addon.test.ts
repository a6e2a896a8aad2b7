import { expect, test, vi } from 'vitest'
import { FakeBinding } from '../support/fake-binding.js'

test('two copies of the facade connect once, and each gets its own answers and its own error class', async () => {
  const first = { ...(await import('../../lib/open.js')), ...(await import('../../lib/errors.js')) }
  vi.resetModules()
  const second = { ...(await import('../../lib/open.js')), ...(await import('../../lib/errors.js')) }
  expect(second.VarveError).not.toBe(first.VarveError)

  const addon = new FakeBinding()
  const a = first.openWith(() => addon, '/a', {})
  addon.answerOpen()
  const b = second.openWith(() => addon, '/b', {})
  addon.fail(addon.opens[1]!.request, { code: 'VARVE_LOCKED', message: 'locked' })
  expect(addon.connects).toBe(1)
  expect(addon.opens[0]!.request).not.toBe(addon.opens[1]!.request)
  expect((await a).location).toBe('/a')
  await expect(b).rejects.toBeInstanceOf(second.VarveError)
})
