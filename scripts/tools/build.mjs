/** Builds the addon (./varve.<platform>.node), the facade (./dist) and the CLI on it (./dist/bin). */
import { chmodSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { binOf, root, run } from './run.mjs'

/** As incremental as cargo is. */
function buildAddon() {
  const from = ['--manifest-path', 'crate/node/Cargo.toml', '--package-json-path', 'package.json']
  // lib/loader.ts is the loader and lib/native.ts holds the types, so neither is generated (types cannot be switched off).
  const to = ['--output-dir', '.', '--platform', '--no-js', '--dts', 'target/addon.d.ts']
  run(process.execPath, [binOf('@napi-rs/cli', 'napi'), 'build', ...from, ...to, '--release'])
}

/** From nothing, so that dist/ never keeps a file whose source is gone. */
export function buildFacade() {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  // Comments go into the declarations, where editors show them, and not a second time into the code.
  tsc('--project', 'tsconfig.json', '--emitDeclarationOnly')
  tsc('--project', 'tsconfig.json', '--declaration', 'false', '--removeComments')
  tsc('--project', 'bin/tsconfig.json', '--removeComments')
  chmodSync(join(root, 'dist', 'bin', 'varve.js'), 0o755)
}

/** @param {string[]} args */
function tsc(...args) {
  run(process.execPath, [binOf('typescript', 'tsc'), ...args])
}

export function build() {
  buildAddon()
  buildFacade()
}
