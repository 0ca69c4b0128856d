import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs'
import type { WebhookEvent } from '../../clients/typescript/src/index.ts'

/** The key under which an endpoint is asked for. */
type Registering = { url: string; key: string }

/** A line of the file; `done` is the id of an event that is worked off. */
type Line =
  | { registering: Registering }
  | { endpoint: { id: string; secret: string } }
  | { position: string }
  | { taken: WebhookEvent }
  | { done: string }

/**
 * What the consumer must not forget, in a file that only grows: with a database, these are tables,
 * and an event's id is a key. A line is on the disk before anything goes on.
 */
export function openJournal(file: string) {
  const known = new Set<string>()
  const open = new Map<string, WebhookEvent>()
  const counts = new Map<string, number>()
  const last: {
    registering?: Registering | undefined
    endpoint?: { id: string; secret: string }
    position?: string
  } = {}

  function learn(line: Line): void {
    if ('registering' in line) last.registering = line.registering
    if ('endpoint' in line) {
      last.endpoint = line.endpoint
      last.registering = undefined
    }
    if ('position' in line) last.position = line.position
    if ('done' in line) open.delete(line.done)
    if (!('taken' in line)) return
    const { id, paymentId } = line.taken
    known.add(id)
    open.set(id, line.taken)
    if (paymentId !== null) counts.set(paymentId, (counts.get(paymentId) ?? 0) + 1)
  }

  function write(line: Line): void {
    // It holds a secret: for the eyes of this user alone.
    appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600, flush: true })
    learn(line)
  }

  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  // What a crash cut off was answered to nobody.
  if (whole !== text) truncateSync(file, Buffer.byteLength(whole))
  for (const line of whole.split('\n').slice(0, -1)) learn(JSON.parse(line))

  return {
    last,
    write,
    /** False where it is here: it comes by webhook, perhaps twice, and by the feed. */
    take(event: WebhookEvent): boolean {
      if (known.has(event.id)) return false
      write({ taken: event })
      return true
    },
    /** Taken, and not worked off. */
    open: () => [...open.values()],
    /** A payment's events are numbered from 1 without holes: whether earlier ones are not here. */
    hasGap: ({ paymentId, sequence }: WebhookEvent) =>
      paymentId !== null && sequence !== null && sequence > (counts.get(paymentId) ?? 0)
  }
}
