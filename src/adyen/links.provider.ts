/** Adyen's payment links (docs.adyen.com/api-explorer/Checkout/72/post/paymentLinks). */
import { PaymentLinksApi } from '@adyen/api-library/lib/src/services/checkout/paymentLinksApi.js'
import type { checkout } from '@adyen/api-library/lib/src/typings/index.js'
import type { Answer, HostedPage, LinkStatus, PaymentLinkRequest, Trace } from '../provider.ts'
import {
  type Adyen,
  as,
  callOptions,
  toOrder,
  toShopper,
  toShopperReference,
  toStoreMode
} from './adyen-request.ts'
import { readError } from './answer.ts'

export function createLinks({ client, merchantAccount }: Adyen) {
  const links = new PaymentLinksApi(client)
  return {
    create: (request: PaymentLinkRequest, trace: Trace | undefined) =>
      createLink(links, merchantAccount, request, trace),
    findStatus: (link: string) => findStatus(links, link),
    expire: (link: string) => expireLink(links, link)
  }
}

async function createLink(
  links: PaymentLinksApi,
  merchantAccount: string,
  request: PaymentLinkRequest,
  trace: Trace | undefined
): Promise<Answer<HostedPage>> {
  try {
    const body = toLinkRequest(merchantAccount, request)
    const { id, url, reference } = await links.paymentLinks(body, callOptions(request.key, trace))
    if (typeof id === 'string' && typeof url === 'string' && reference === request.paymentId) {
      return { outcome: 'done', value: { session: id, url } }
    }
    return { outcome: 'unknown', reason: 'a link without id or url', retry: 'same_key' }
  } catch (error) {
    return readError(error, 'harmless')
  }
}

function toLinkRequest(
  merchantAccount: string,
  request: PaymentLinkRequest
): checkout.PaymentLinkRequest {
  const { saveCard, returnUrl, description } = request
  return {
    ...toOrder(merchantAccount, request),
    expiresAt: request.expiresAt,
    reusable: false,
    allowedPaymentMethods: ['scheme'],
    // A link may be passed on: whoever opens it is not shown the cards of the account.
    ...(saveCard !== 'never' && { shopperReference: toShopperReference(request.accountId) }),
    ...toStoreMode(saveCard),
    // The merchant account's default is never relied on.
    ...(request.capture === 'automatic' ? { captureDelayHours: 0 } : { manualCapture: true }),
    ...(returnUrl && { returnUrl }),
    ...(description && { description }),
    ...toShopper(request.customer)
  }
}

const statuses: ReadonlyMap<string, LinkStatus> = new Map([
  ['active', 'open'],
  ['paymentPending', 'open'],
  ['completed', 'paid'],
  ['paid', 'paid'],
  ['expired', 'expired']
])

/** Unlike a page's, the status may be asked for again and again. Any error says nothing of it. */
async function findStatus(links: PaymentLinksApi, link: string): Promise<{ outcome: LinkStatus }> {
  try {
    const { id, status } = await links.getPaymentLink(link)
    return { outcome: (id === link && statuses.get(String(status))) || 'unknown' }
  } catch {
    return { outcome: 'unknown' }
  }
}

async function expireLink(links: PaymentLinksApi, link: string): Promise<Answer<null>> {
  try {
    const { id, status } = await links.updatePaymentLink(link, { status: as('expired') })
    if (id === link && String(status) === 'expired') return { outcome: 'done', value: null }
    return { outcome: 'unknown', reason: `a link that is ${status}`, retry: 'same_key' }
  } catch (error) {
    const answer = readError(error, 'harmless')
    // One that had expired already may be refused, and is what was asked for.
    const isExpired =
      answer.outcome === 'rejected' && (await findStatus(links, link)).outcome === 'expired'
    return isExpired ? { outcome: 'done', value: null } : answer
  }
}
