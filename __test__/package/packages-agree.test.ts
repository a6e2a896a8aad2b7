import { expect, test } from 'vitest'
import { TARGETS } from '../../lib/loader.js'
import { contradictions } from '../../scripts/release/manifests.mjs'
import { targets } from '../../scripts/release/targets.mjs'

test('one version everywhere, and one package in npm/ for each target', () => {
  expect(contradictions()).toEqual([])
})

test('the loader looks for the packages that there are', () => {
  expect(TARGETS).toEqual(targets.map(({ name }) => name))
})
