/**
 * A fastify plugin: every request leaves a record, and no answer leaves before its record is durable.
 *
 * `request.audit(details)` adds what the request did. The record is appended in `onSend`, which fastify awaits, so a
 * client that has seen an answer can rely on the trail; when the log refuses, the client gets a 503 instead.
 */
import fastifyPlugin from 'fastify-plugin'
import { open } from 'varve'

/** @typedef {{ actor: string, method: string, url: string, status: number, details?: unknown }} AuditRecord */

/** @type {WeakMap<object, unknown>} What each running request said of itself. */
const detailsOf = new WeakMap()

/**
 * @param {import('fastify').FastifyInstance} app
 * @param {{ dir: string, expectHead?: import('varve').Head }} options
 */
async function plugin(app, { dir, expectHead }) {
  /** @type {import('varve').Log<AuditRecord>} */
  const log = await open(dir, { encoding: 'json', expectHead })

  /** @this {object} @param {unknown} details */
  function audit(details) {
    detailsOf.set(this, details)
  }
  app.decorateRequest('audit', audit)

  app.addHook('onSend', async (request, reply, payload) => {
    const { method, url, headers } = request
    const actor = String(headers['x-user'] ?? 'anonymous')
    try {
      await log.append({ actor, method, url, status: reply.statusCode, details: detailsOf.get(request) })
      return payload
    } catch (error) {
      request.log.error(error, 'the audit trail refused a record')
      reply.code(503).type('application/json')
      return JSON.stringify({ error: 'could not be recorded, so it is not answered' })
    }
  })

  app.get('/audit/head', () => log.head)
  app.get('/audit/verify', async (_request, reply) => {
    const { ok, records, problems } = await log.verify()
    reply.code(ok ? 200 : 500)
    return { ok, records, problems }
  })

  // Fastify closes plugins after the last answer has been sent.
  app.addHook('onClose', () => log.close())
}

export const auditTrail = fastifyPlugin(plugin, { name: 'varve-audit-trail' })
