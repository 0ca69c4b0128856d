import type { FastifyInstance } from 'fastify'
import { adyenTime } from './clock.ts'
import type { Context } from './context.ts'
import { describe } from './control-views.ts'
import { flush, redeliver, send } from './delivery.ts'
import { type Letter, type Rewording, refuseRewording, reworded, unsigned } from './forgery.ts'
import { type NotificationItem, signed, testPing, wrongKey } from './notifications.ts'
import { notify } from './notify.ts'

type Item = Partial<NotificationItem>
type NewWebhook = {
  items: Item[]
  live?: boolean | string
  sign?: boolean | 'wrong' | 'missing'
  key?: string
}

/** Webhooks of all kinds, sent by hand and sent again. */
export function controlWebhookRoutes(app: FastifyInstance, context: Context): void {
  const { courier, state } = context
  app.get('/webhooks', () => state.webhooks.all().map(describe))
  app.post<{ Body: NewWebhook }>('/webhooks', (request, reply) => {
    const { items, live = false } = request.body
    const ready = items.map((item) => seal(context, item, request.body))
    const webhook = send(courier, ready, { afterMs: 0, live: String(live) })
    return reply.code(202).send(describe(webhook))
  })
  /** With a body, only what it names is sent, `set` in its unsigned members. */
  app.post<{ Body: Rewording | null | undefined }>('/redeliver', async ({ body }, reply) => {
    const wrong = refuseRewording(body ?? {})
    if (wrong !== null) return reply.code(400).send({ error: wrong })
    const rewrite = body ? (letter: Letter) => reworded(letter, body) : undefined
    return (await redeliver(courier, rewrite)).map(describe)
  })
  app.post('/flush', async () => (await flush(courier)).map(describe))
  /** "Test configuration" in the Customer Area. */
  app.post<{ Body: { eventCode?: string } | undefined }>('/test-notification', ({ body }) =>
    describe(notify(context, testPing(context.merchantAccount, body?.eventCode)))
  )
}

/** Gives an item the fields that nobody cares about, and the signature asked for. */
function seal(context: Context, item: Item, { sign = true, key }: NewWebhook): Item {
  const full = {
    eventDate: adyenTime(new Date()),
    merchantAccountCode: context.merchantAccount,
    ...item
  }
  if (sign === 'wrong') return signed(full, wrongKey())
  return sign === true ? signed(full, key ?? context.hmacKey) : unsigned(full)
}
