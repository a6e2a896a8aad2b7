/** `npm start`: installs, builds and runs the demo, from a plain clone on. */
import { build } from './tools/build.mjs'
import { ensurePrerequisites } from './tools/prerequisites.mjs'
import { run } from './tools/run.mjs'

ensurePrerequisites()
build()
run(process.execPath, ['examples/flights.mjs'])
