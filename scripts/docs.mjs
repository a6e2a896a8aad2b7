/** `npm run docs`: the API documentation, from the declarations in lib/, into target/typedoc. A warning fails. */
import { ensurePrerequisites } from './tools/prerequisites.mjs'
import { binOf, run } from './tools/run.mjs'

ensurePrerequisites()
run(process.execPath, [binOf('typedoc')])
