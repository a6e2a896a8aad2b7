/**
 * What this library tells `node:diagnostics_channel`, for metrics and tracing. Nobody subscribed: one look at a property
 * for each event that makes something durable, and no message is made. What a subscriber throws never reaches the log.
 */
import { type Channel, channel } from 'node:diagnostics_channel'
import type { DiagnosticsMessages } from './types.js'

const channels = {
  'varve:open': channel('varve:open'),
  'varve:group': channel('varve:group'),
  'varve:failed': channel('varve:failed'),
  'varve:close': channel('varve:close'),
} satisfies Record<keyof DiagnosticsMessages, Channel>

/** Whether anybody would see a message; ask before making one that is not free. */
export function isWatched(name: keyof DiagnosticsMessages): boolean {
  return channels[name].hasSubscribers
}

export function publish<Name extends keyof DiagnosticsMessages>(name: Name, message: DiagnosticsMessages[Name]): void {
  channels[name].publish(message)
}
