import { visibleTo } from '../clients/client.ts'
import { pageHeaders } from '../html.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { IdParams, ref } from '../http/common.schema.ts'
import { wantsPage } from '../http/csv.plugin.ts'
import { findPayment } from '../payments/payment.store.ts'
import { chooseLocale } from '../payments/return-page.ts'
import { found, Problem } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { ReceiptSchema } from './receipt.schema.ts'
import { findRefunds } from './receipt.store.ts'
import { hasReceipt, type ReceiptView, toReceiptView } from './receipt.ts'
import { toReceiptPage } from './receipt-page.ts'

export const receiptRoutes: Routes<'reads' | 'providerName' | 'merchantName'> = async (
  app,
  deps
) => {
  const { reads } = deps
  app.get(
    '/v1/payments/:id/receipt',
    {
      schema: {
        operationId: 'getReceipt',
        summary: 'Get the receipt of a payment',
        description:
          'Of a payment that has brought money, whatever became of it since: what was taken, ' +
          'what it pays, and what went back so far. With `Accept: text/html` it is a page to ' +
          'show and to print, in the language of `customer.locale` or of `Accept-Language`.',
        tags: ['Payments'],
        params: IdParams,
        response: { 200: ref(ReceiptSchema) }
      },
      config: {
        scope: 'payments:read',
        problems: ['payment_not_found', 'receipt_not_found'],
        etag: true,
        page: true
      }
    },
    async (request, reply) => {
      const known = await findPayment(reads, request.params.id, visibleTo(clientOf(request)))
      const payment = found(known, 'payment_not_found', 'No payment has this id.')
      if (!hasReceipt(payment)) {
        const detail = `Payment ${payment.id} is ${payment.status}: it has brought no money.`
        throw new Problem('receipt_not_found', detail, { paymentId: payment.id })
      }
      const refunds = payment.amountRefunded > 0 ? await findRefunds(reads, payment.id) : []
      const receipt = toReceiptView(payment, refunds, deps)
      reply.header('vary', 'accept')
      if (!wantsPage(request)) return receipt
      const locale = chooseLocale(payment.customer?.locale, request.headers['accept-language'])
      // The schema is that of the data: this is the same as a page.
      const page = toReceiptPage(receipt, locale)
      return reply.headers(pageHeaders).send(page as unknown as ReceiptView)
    }
  )
}
