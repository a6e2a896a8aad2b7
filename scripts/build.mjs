/** `npm run build`: everything that `import { open } from 'varve'` needs. */
import { build } from './tools/build.mjs'
import { ensurePrerequisites } from './tools/prerequisites.mjs'

ensurePrerequisites()
build()
