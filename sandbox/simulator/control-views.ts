import type { Webhook } from './state.ts'

/** The body is shown as JSON rather than as text within JSON. */
export function describe(webhook: Webhook): object {
  return { ...webhook, body: JSON.parse(webhook.body) }
}
