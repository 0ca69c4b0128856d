/** What an agent asks for about a payment. */
import { type Client, PaymentsError } from '../../clients/typescript/src/index.ts'
import { readMoney } from '../html.ts'
import { keepKey, keyOf } from '../keys.ts'
import type { Fault } from '../parts.ts'
import { sendReceipt } from '../receipt.ts'
import type { Reply, Routes, Visit } from '../web.ts'
import { faultsOf } from './layout.ts'
import { showPayment } from './payment.ts'

export function paymentRoutes(api: Client): Routes {
  return {
    'GET /payments/:id': (visit) => showPayment(api, visit),
    'GET /payments/:id/receipt': (visit) => sendReceipt(api, visit),
    // Where the card page leads to; that somebody comes back proves nothing.
    'GET /back': ({ url }) => ({
      to: `/payments/${encodeURIComponent(url.searchParams.get('paymentId') ?? '')}`
    }),
    'POST /payments/:id/refund': (visit) => refund(api, visit),
    'POST /payments/:id/capture': (visit) => capture(api, visit),
    'POST /payments/:id/cancel': (visit) =>
      act(api, visit, 'cancel', () =>
        api.post('/v1/payments/{id}/cancellation', {
          ...{ path: idOf(visit), idempotencyKey: keyOf(visit) },
          body: { reason: `${visit.form.get('cancel-reason')} (${visit.user})` }
        })
      ),
    'POST /refunds/:id/approval': (visit) => decide(api, visit, '/v1/refunds/{id}/approval'),
    'POST /refunds/:id/rejection': (visit) => decide(api, visit, '/v1/refunds/{id}/rejection')
  }
}

const idOf = ({ params }: Visit) => ({ id: params.id ?? '' })

async function refund(api: Client, visit: Visit): Promise<Reply> {
  const amount = await amountOf(api, visit, 'refund')
  if (amount === undefined) return noAmount(api, visit, 'refund')
  const reason = visit.form.get('refund-reason') ?? ''
  return await act(api, visit, 'refund', () =>
    api.post('/v1/payments/{id}/refunds', {
      ...{ path: idOf(visit), idempotencyKey: keyOf(visit) },
      body: {
        ...{ amount, reason, operator: { id: visit.user ?? '' } },
        // What the agent saw: if somebody else was faster, it is refused.
        amountRefundable: Number(visit.form.get('refundable'))
      }
    })
  )
}

async function capture(api: Client, visit: Visit): Promise<Reply> {
  const amount = await amountOf(api, visit, 'capture')
  if (amount === undefined) return noAmount(api, visit, 'capture')
  return await act(api, visit, 'capture', () =>
    api.post('/v1/payments/{id}/captures', {
      ...{ path: idOf(visit), idempotencyKey: keyOf(visit), body: { amount } }
    })
  )
}

async function amountOf(api: Client, visit: Visit, form: string) {
  const { amount } = await api.get('/v1/payments/{id}', { path: idOf(visit) })
  return readMoney(visit.form.get(`${form}-amount`) ?? '', amount.currency)
}

function noAmount(api: Client, visit: Visit, form: string): Promise<Reply> {
  const fault = { field: `${form}-amount`, text: 'Type an amount, such as 25.00' }
  return showPayment(api, visit, [fault], form)
}

function decide(
  api: Client,
  visit: Visit,
  path: '/v1/refunds/{id}/approval' | '/v1/refunds/{id}/rejection'
): Promise<Reply> {
  const body = { operator: { id: visit.user ?? '' } }
  const asked = { path: idOf(visit), idempotencyKey: keyOf(visit), body }
  const paymentId = visit.form.get('payment') ?? ''
  return act(api, { ...visit, params: { id: paymentId } }, '', () => api.post(path, asked))
}

/** Asks for it and shows the payment; what is refused is shown above all else. */
async function act(
  api: Client,
  visit: Visit,
  form: string,
  ask: () => Promise<unknown>
): Promise<Reply> {
  try {
    await ask()
    return { to: `/payments/${visit.params.id}` }
  } catch (error) {
    if (!(error instanceof PaymentsError)) throw error
    keepKey(visit, error)
    const fields = { '/amount/value': `${form}-amount`, '/reason': `${form}-reason` }
    const faults: Fault[] = faultsOf(error, fields)
    return await showPayment(api, visit, faults, form)
  }
}
