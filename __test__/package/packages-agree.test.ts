import { expect, test } from 'vitest'
import { TARGETS } from '../../lib/loader.js'
import { contradictions } from '../../scripts/release/manifests.mjs'
import { linkedCrates, noticesOf } from '../../scripts/release/notices.mjs'
import { hostTarget, targets } from '../../scripts/release/targets.mjs'

test('one version everywhere, and one package in npm/ for each target', () => {
  expect(contradictions()).toEqual([])
})

test('the loader looks for the packages that there are', () => {
  expect(TARGETS).toEqual(targets.map(({ name }) => name))
})

test('every crate that is linked into the addon is named in the notices, with a licence', () => {
  const host = hostTarget()
  const notices = noticesOf(host)
  const crates = linkedCrates(host)
  expect(crates.map(({ name }) => name)).toEqual(expect.arrayContaining(['blake3', 'lz4_flex', 'napi', 'napi-sys']))
  // Neither what only builds it, nor what only tests need.
  for (const name of ['cc', 'napi-build', 'proc-macro2', 'proptest']) {
    expect(crates).not.toContainEqual(expect.objectContaining({ name }))
  }
  for (const { name, version, license } of crates) expect(notices).toContain(`\n${name} ${version} (${license})`)
  for (const part of notices.split(/\n\n={80}\n\n/).slice(2)) {
    const [crate] = part.split('\n')
    expect(part, crate).toMatch(/Permission is hereby granted|Apache License|provided 'as-is'|Permission to use, copy/)
  }
})
