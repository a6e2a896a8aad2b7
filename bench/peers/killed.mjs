/** Appends to the log in the folder it is given, as fast as it can, and says when some are durable: then it may be killed. */
import { auditEvents } from '../events.mjs'
import { openStore } from './varve.mjs'

const { appendBatch } = await openStore(process.argv[2], { compression: 'none' })
const events = auditEvents(4_000)
for (let batches = 1; ; batches++) {
  await Promise.all([appendBatch(events), appendBatch(events)])
  if (batches === 50) process.send?.('durable')
}
