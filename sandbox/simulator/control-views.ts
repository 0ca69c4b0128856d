import type { Webhook } from './state.ts'

type Table<R> = { get(id: string): R | undefined; all(): R[] }

/** The record of that id; `last` is the newest one, so that what is pasted needs no id. */
export function pick<R>(table: Table<R>, id: string): R | undefined {
  return id === 'last' ? table.all().at(-1) : table.get(id)
}

/** The body is shown as JSON rather than as text within JSON. */
export function describe(webhook: Webhook): object {
  return { ...webhook, body: JSON.parse(webhook.body) }
}
