/** `node examples/pino-transport/demo.mjs [FOLDER]`: logs 10,000 lines through the transport, then reads and verifies them. */
import { once } from 'node:events'
import pino from 'pino'
import { open } from 'varve'

const dir = process.argv[2] ?? './data/logs'
const lines = 10_000

/** @type {any} Its types leave out `ref`. */
const transport = pino.transport({ target: new URL('./transport.mjs', import.meta.url).href, options: { dir } })
await once(transport, 'ready')
// A service needs none of this: pino ends its transports when the process exits. Here we want to read what it wrote.
transport.ref()
const logger = pino(transport)
for (let number = 0; number < lines; number++) logger.info({ number, path: '/invoices' }, 'request handled')
transport.end()
await once(transport, 'close')

const log = await open(dir, { encoding: 'utf8', readOnly: true })
const last = await log.get(log.head.size - 1)
console.log(`${log.head.size} lines, the last one: ${last?.value}`)
console.log(`verified: ${(await log.verify()).ok}`)
await log.close()
