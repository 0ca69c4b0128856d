import { type Client, PaymentsError } from '../clients/typescript/src/index.ts'
import type { Reply, Visit } from './web.ts'

/** A payment of somebody else is none. */
export const notTheirs = new PaymentsError('payment_not_found', 'Not found', { status: 404 })

/** The service's own page, to show and to print; `accountId`: only to whom the payment belongs. */
export async function sendReceipt(
  api: Client,
  { params, response }: Visit,
  accountId?: string
): Promise<Reply> {
  const path = { id: params.id ?? '' }
  const payment = await api.get('/v1/payments/{id}', { path })
  if (accountId !== undefined && payment.accountId !== accountId) {
    throw notTheirs
  }
  const headers = { accept: 'text/html', 'accept-language': 'en-GB' }
  const found = await api.call('get', '/v1/payments/{id}/receipt', { path, headers })
  for (const name of ['content-type', 'content-security-policy', 'x-content-type-options']) {
    response.setHeader(name, found.response.headers.get(name) ?? '')
  }
  response.setHeader('cache-control', 'no-store')
  response.end(found.data)
  return 'answered'
}
