/**
 * `node examples/audit-trail/server.mjs [FOLDER] [--port N]`: a service with a tamper-evident audit trail.
 *
 *   curl -X POST localhost:3000/invoices -H 'x-user: ada' -H 'content-type: application/json' -d '{"amount": 42}'
 *   curl localhost:3000/audit/verify
 *
 * SIGINT and SIGTERM end it gracefully: no new connections, running requests are answered, the log is flushed and closed.
 */
import { parseArgs } from 'node:util'
import Fastify from 'fastify'
import { auditTrail } from './plugin.mjs'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { port: { type: 'string', default: '3000' } },
})
const app = Fastify({ forceCloseConnections: 'idle' })
await app.register(auditTrail, { dir: positionals[0] ?? './data/audit' })

/** @type {unknown[]} */
const invoices = []
app.post('/invoices', (/** @type {any} */ request, reply) => {
  const invoice = invoices.push(request.body)
  request.audit({ invoice, body: request.body })
  reply.code(201).send({ invoice })
})

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => app.close())
console.log(`listening on ${await app.listen({ port: Number(values.port) })}`)
