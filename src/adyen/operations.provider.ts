import type { checkout } from '@adyen/api-library/lib/src/typings/index.js'
import type { CallKind, OperationRequest, Provider } from '../provider.ts'
import { type Adyen, toSentAmount } from './adyen-request.ts'
import { done, readError, unknown } from './answer.ts'

/**
 * What is asked about a payment once it is made. Each is only received; what comes of it is
 * reported by a notification (docs.adyen.com/online-payments/classic-integrations/modify-payments).
 */
export function createOperations(adyen: Adyen): Pick<Provider, 'requestOperation'> {
  return {
    async requestOperation(request) {
      try {
        const { pspReference } = await adyen.ask<{ pspReference: string }>({
          ...{ kind: places[request.kind].kind, method: 'POST', path: toPath(request) },
          ...{ body: toBody(adyen.merchantAccount, request), key: request.key }
        })
        return typeof pspReference === 'string'
          ? done({ reference: pspReference })
          : unknown('no pspReference in the answer')
      } catch (error) {
        return readError(error, 'moves_money')
      }
    }
  }
}

/** With whose calls one goes out, and where to. */
const places: Readonly<Record<OperationRequest['kind'], { kind: CallKind; path: string }>> = {
  capture: { kind: 'captures', path: '/captures' },
  refund: { kind: 'refunds', path: '/refunds' },
  reversal: { kind: 'cancellations', path: '/reversals' },
  cancellation: { kind: 'cancellations', path: '/cancels' }
}

/** Where no authorisation is known, our own reference of the payment is in the body. */
function toPath({ kind, authorisationReference }: OperationRequest): string {
  const { path } = places[kind]
  if (authorisationReference === null) return path
  return `/payments/${encodeURIComponent(authorisationReference)}${path}`
}

function toBody(merchantAccount: string, request: OperationRequest): Body {
  const shared = { merchantAccount, reference: request.reference }
  if ('amount' in request) return { ...shared, amount: toSentAmount(request.amount) }
  return 'paymentId' in request ? { ...shared, paymentReference: request.paymentId } : shared
}
type Body =
  | checkout.PaymentCaptureRequest
  | checkout.PaymentRefundRequest
  | checkout.PaymentReversalRequest
  | checkout.PaymentCancelRequest
  | checkout.StandalonePaymentCancelRequest
