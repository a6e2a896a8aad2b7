/** Builds the addon (./varve.<platform>.node), the facade (./dist) and the CLI on it (./dist/bin). */
import { chmodSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { binOf, root, run } from './run.mjs'

/** As incremental as cargo is. */
export function buildAddon() {
  const from = ['--manifest-path', 'crate/node/Cargo.toml', '--package-json-path', 'package.json']
  // lib/loader.ts is the loader and lib/native.ts holds the types, so neither is generated (types cannot be switched off).
  const to = ['--output-dir', '.', '--platform', '--no-js', '--dts', 'target/addon.d.ts']
  run(process.execPath, [binOf('@napi-rs/cli', 'napi'), 'build', ...from, ...to, '--release'])
}

/** From nothing, so that dist/ never keeps a file whose source is gone. */
export function buildFacade() {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  run(process.execPath, [binOf('typescript', 'tsc'), '--project', 'tsconfig.json'])
  run(process.execPath, [binOf('typescript', 'tsc'), '--project', 'bin/tsconfig.json'])
  chmodSync(join(root, 'dist', 'bin', 'varve.js'), 0o755)
}

export function build() {
  buildAddon()
  buildFacade()
}
