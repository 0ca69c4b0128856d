import { ModificationsApi } from '@adyen/api-library/lib/src/services/checkout/modificationsApi.js'
import type { OperationRequest, Provider } from '../provider.ts'
import { type Adyen, callOptions, toSentAmount } from './adyen-request.ts'
import { done, readError, unknown } from './answer.ts'

/**
 * What is asked about a payment once it is made. Each is only received; what comes of it is
 * reported by a notification (docs.adyen.com/online-payments/classic-integrations/modify-payments).
 */
export function createOperations(adyen: Adyen): Pick<Provider, 'requestOperation'> {
  const api = new ModificationsApi(adyen.client)
  return {
    async requestOperation(request) {
      try {
        const { pspReference } = await send(api, adyen.merchantAccount, request)
        return typeof pspReference === 'string'
          ? done({ reference: pspReference })
          : unknown('no pspReference in the answer')
      } catch (error) {
        return readError(error, 'moves_money')
      }
    }
  }
}

async function send(
  api: ModificationsApi,
  merchantAccount: string,
  request: OperationRequest
): Promise<{ pspReference?: string }> {
  const { kind, authorisationReference: authorisation, reference } = request
  const shared = { merchantAccount, reference }
  const options = callOptions(request.key)
  switch (kind) {
    case 'capture': {
      const amount = toSentAmount(request.amount)
      return await api.captureAuthorisedPayment(authorisation, { ...shared, amount }, options)
    }
    case 'refund': {
      const amount = toSentAmount(request.amount)
      return await api.refundCapturedPayment(authorisation, { ...shared, amount }, options)
    }
    case 'reversal':
      return await api.refundOrCancelPayment(authorisation, shared, options)
    case 'cancellation': {
      if (authorisation === null) {
        const { paymentId: paymentReference } = request
        return await api.cancelAuthorisedPayment({ ...shared, paymentReference }, options)
      }
      return await api.cancelAuthorisedPaymentByPspReference(authorisation, shared, options)
    }
  }
}
