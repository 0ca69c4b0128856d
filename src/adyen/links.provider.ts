/** Adyen's payment links (docs.adyen.com/api-explorer/Checkout/72/post/paymentLinks). */
import type { checkout } from '@adyen/api-library/lib/src/typings/index.js'
import type { LinkStatus, Provider } from '../provider.ts'
import {
  type Adyen,
  as,
  toOrder,
  toShopper,
  toShopperReference,
  toStoreMode
} from './adyen-request.ts'
import { done, openPage, readError, unknown } from './answer.ts'

type Links = Pick<Provider, 'createPaymentLink' | 'findLinkStatus' | 'expireLink'>

const statuses: ReadonlyMap<string, LinkStatus> = new Map([
  ['active', 'open'],
  ['paymentPending', 'open'],
  ['completed', 'paid'],
  ['paid', 'paid'],
  ['expired', 'expired']
])

export function createLinks({ ask, merchantAccount, readAddress }: Adyen): Links {
  const pathOf = (link: string) => `/paymentLinks/${encodeURIComponent(link)}`

  /** Unlike a page's, the status may be asked for again and again. Any error says nothing of it. */
  async function findLinkStatus(link: string): Promise<LinkStatus> {
    try {
      const { id, status } = await ask<checkout.PaymentLinkResponse>({
        kind: 'lookups',
        method: 'GET',
        path: pathOf(link)
      })
      return (id === link && statuses.get(String(status))) || 'unknown'
    } catch {
      return 'unknown'
    }
  }

  return {
    findLinkStatus,

    createPaymentLink: (request, trace) =>
      openPage(request.paymentId, readAddress, () => {
        const { saveCard, returnUrl, description } = request
        const body: checkout.PaymentLinkRequest = {
          ...toOrder(merchantAccount, request),
          expiresAt: request.expiresAt,
          reusable: false,
          allowedPaymentMethods: [...request.offers],
          // A link may be passed on: whoever opens it is not shown the cards of the account.
          ...(saveCard !== 'never' && { shopperReference: toShopperReference(request.accountId) }),
          ...toStoreMode(saveCard),
          // The merchant account's default is never relied on.
          ...(request.capture === 'automatic' ? { captureDelayHours: 0 } : { manualCapture: true }),
          returnUrl,
          ...(description && { description }),
          ...toShopper(request.customer)
        }
        return ask<checkout.PaymentLinkResponse>({
          ...{ kind: 'links', method: 'POST', path: '/paymentLinks' },
          ...{ body, key: request.key, trace }
        })
      }),

    async expireLink(link) {
      try {
        const body: checkout.UpdatePaymentLinkRequest = { status: as('expired') }
        const { id, status } = await ask<checkout.PaymentLinkResponse>({
          ...{ kind: 'cancellations', method: 'PATCH', path: pathOf(link), body }
        })
        const isExpired = id === link && String(status) === 'expired'
        return isExpired ? done(null) : unknown(`a link that is ${status}`)
      } catch (error) {
        const answer = readError(error, 'harmless')
        // One that had expired already may be refused, and is what was asked for.
        const isExpired =
          answer.outcome === 'rejected' && (await findLinkStatus(link)) === 'expired'
        return isExpired ? done(null) : answer
      }
    }
  }
}
