/** `npm run format`: formats everything and mends what the linter can mend safely. */
import { ensurePrerequisites } from './tools/prerequisites.mjs'
import { binOf, run } from './tools/run.mjs'

ensurePrerequisites()
run('cargo', ['fmt', '--all'])
run('cargo', ['fmt', '--manifest-path', 'bench/native/Cargo.toml'])
run(process.execPath, [binOf('@biomejs/biome', 'biome'), 'check', '--write', '.'])
