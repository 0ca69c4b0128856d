import type { FastifyInstance, FastifyReply } from 'fastify'
import { statusOf } from './checkouts.ts'
import type { Context } from './context.ts'
import { controlCardRoutes } from './control-cards.routes.ts'
import { controlPaymentRoutes } from './control-payments.routes.ts'
import { controlReportRoutes } from './control-reports.routes.ts'
import { describe, pick } from './control-views.ts'
import { controlWebhookRoutes } from './control-webhooks.routes.ts'
import { forgetAll, releaseHeld } from './delivery.ts'
import { newPspReference } from './identifiers.ts'
import { offerClosed } from './notifications.ts'
import { notify } from './notify.ts'
import { type QuickPay, quickPay } from './quick-pay.ts'
import { endSession } from './sessions.ts'

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
    controlWebhookRoutes(app, context)
    app.get('/requests', () => requests)
    app.get('/sessions', () =>
      state.sessions.all().map((session) => ({ ...session, status: statusOf(session) }))
    )
    app.get('/settings', () => settingsOf(context))
    app.put<{ Body: Partial<Settings> }>('/settings', ({ body }, reply) => {
      const wrong = Object.entries(body).find(
        ([name, value]) => !(name in settingsOf(context)) || typeof value !== 'boolean'
      )
      if (wrong !== undefined) return reply.code(400).send({ error: `Not so: ${wrong[0]}` })
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

    app.post<WithSession & { Body: QuickPay | undefined }>(
      '/sessions/:id/pay',
      (request, reply) => {
        const session = pick(state.sessions, request.params.id)
        if (session === undefined) return unknownSession(reply)
        return quickPay(context, session, request.body ?? {})
      }
    )
    app.post<WithSession>('/sessions/:id/expire', (request, reply) => {
      const session = pick(state.sessions, request.params.id)
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
