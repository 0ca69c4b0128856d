import type { FastifyInstance, FastifyReply } from 'fastify'
import { statusOf } from './checkouts.ts'
import { adyenTime } from './clock.ts'
import type { Context } from './context.ts'
import { controlCardRoutes } from './control-cards.routes.ts'
import { controlPaymentRoutes } from './control-payments.routes.ts'
import { controlReportRoutes } from './control-reports.routes.ts'
import { describe } from './control-views.ts'
import { flush, forgetAll, redeliver, releaseHeld, send } from './delivery.ts'
import { type Letter, type Rewording, refuseRewording, reworded, unsigned } from './forgery.ts'
import { newPspReference } from './identifiers.ts'
import { type NotificationItem, offerClosed, signed, testPing, wrongKey } from './notifications.ts'
import { notify } from './notify.ts'
import { type QuickPay, quickPay } from './quick-pay.ts'
import { endSession } from './sessions.ts'

type Item = Partial<NotificationItem>
type NewWebhook = {
  items: Item[]
  live?: boolean | string
  sign?: boolean | 'wrong' | 'missing'
  key?: string
}
type WithSession = { Params: { id: string } }

const LOOPBACK = ['127.0.0.1', '::1', '::ffff:127.0.0.1']

/** For tests and demonstrations, mounted under /_simulator: no counterpart at Adyen. */
export function controlRoutes(context: Context) {
  const { courier, faults, requests, state } = context
  return async (app: FastifyInstance): Promise<void> => {
    app.addHook('onRequest', async (request, reply) =>
      LOOPBACK.includes(request.ip) ? undefined : reply.code(403).send({ error: 'Loopback only' })
    )

    controlPaymentRoutes(app, context)
    controlCardRoutes(app, context)
    controlReportRoutes(app, context)
    app.get('/requests', () => requests)
    app.get('/sessions', () =>
      state.sessions.all().map((session) => ({ ...session, status: statusOf(session) }))
    )
    app.get('/webhooks', () => state.webhooks.all().map(describe))
    app.get('/settings', () => settingsOf(context))
    app.put<{ Body: Partial<Settings> }>('/settings', ({ body }, reply) => {
      const unknown = Object.keys(body).filter((name) => !(name in settingsOf(context)))
      if (unknown.length > 0) return reply.code(400).send({ error: `Unknown: ${unknown}` })
      Object.assign(context, body)
      return settingsOf(context)
    })
    app.get('/faults', () => faults.table())
    app.put('/faults', (request, reply) => {
      const wrong = faults.merge(request.body)
      if (wrong !== null) return reply.code(400).send({ error: wrong })
      if (faults.table().webhooks.reorder === null) releaseHeld(courier)
      return faults.table()
    })

    app.post<{ Body: NewWebhook }>('/webhooks', (request, reply) => {
      const { items, live = false } = request.body
      const ready = items.map((item) => seal(context, item, request.body))
      const webhook = send(courier, ready, { afterMs: 0, live: String(live) })
      return reply.code(202).send(describe(webhook))
    })
    /** With a body, only what it names is sent, `set` in its unsigned members. */
    app.post<{ Body: Rewording | undefined }>('/redeliver', async ({ body }, reply) => {
      const wrong = refuseRewording(body ?? {})
      if (wrong !== null) return reply.code(400).send({ error: wrong })
      const rewrite = body && ((letter: Letter) => reworded(letter, body))
      return (await redeliver(courier, rewrite)).map(describe)
    })
    /** "Test configuration" in the Customer Area. */
    app.post<{ Body: { eventCode?: string } | undefined }>('/test-notification', ({ body }) =>
      describe(notify(context, testPing(context.merchantAccount, body?.eventCode)))
    )
    app.post('/flush', async () => (await flush(courier)).map(describe))

    app.post<WithSession & { Body: QuickPay | undefined }>(
      '/sessions/:id/pay',
      (request, reply) => {
        const session = state.sessions.get(request.params.id)
        if (session === undefined) return unknownSession(reply)
        return quickPay(context, session, request.body ?? {})
      }
    )
    app.post<WithSession>('/sessions/:id/expire', (request, reply) => {
      const session = state.sessions.get(request.params.id)
      if (session === undefined) return unknownSession(reply)
      if (session.status === 'active') endSession(context, session, 'expired')
      return describe(notify(context, offerClosed(session, newPspReference())))
    })

    app.delete('/state', (_request, reply) => {
      forgetAll(courier)
      faults.clear()
      requests.length = 0
      state.clear()
      return reply.code(204).send()
    })
  }
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

type Settings = Pick<
  Context,
  'additionalData' | 'automaticCaptureNotifications' | 'multiplePartialCaptures'
>

/** What the merchant account has switched on, until the simulator ends. */
function settingsOf(context: Context): Settings {
  const { additionalData, automaticCaptureNotifications, multiplePartialCaptures } = context
  return { additionalData, automaticCaptureNotifications, multiplePartialCaptures }
}

function unknownSession(reply: FastifyReply): FastifyReply {
  return reply.code(404).send({ error: 'No such session' })
}
