import { type Answer, missing } from './adyen-error.ts'
import type { Amount } from './money.ts'
import {
  type Body,
  type Fields,
  fieldsOf,
  refuseAmount,
  refuseBody,
  refuseLength,
  refuseValues
} from './request-checks.ts'
import type { ModificationKind } from './state.ts'

/** The fields of a modification that the simulator itself reads. */
export type ModificationRequest = {
  merchantAccount: string
  amount?: Amount
  reference?: string
  /** Of a technical cancel: the merchant's own reference of the payment. */
  paymentReference?: string
}

type Form = { structure: string; fields: Fields; needs: ('amount' | 'paymentReference')[] }

/** The bodies of Checkout API v72: any other field is refused. */
const FORMS: Record<ModificationKind, Form> = {
  amountUpdate: {
    structure: 'PaymentAmountUpdateRequest',
    fields: fieldsOf({
      string: 'adjustAuthType adjustAuthorisationData industryUsage merchantAccount reference',
      object: 'amount applicationInfo mpiData',
      array: 'lineItems splits'
    }),
    needs: ['amount']
  },
  cancel: {
    structure: 'PaymentCancelRequest',
    fields: fieldsOf({ string: 'merchantAccount reference', object: 'applicationInfo' }),
    needs: []
  },
  capture: {
    structure: 'PaymentCaptureRequest',
    fields: fieldsOf({
      string: 'merchantAccount reference',
      object: 'amount applicationInfo enhancedSchemeData platformChargebackLogic',
      array: 'lineItems splits subMerchants'
    }),
    needs: ['amount']
  },
  refund: {
    structure: 'PaymentRefundRequest',
    fields: fieldsOf({
      string: 'capturePspReference merchantAccount merchantRefundReason reference store',
      object: 'amount applicationInfo enhancedSchemeData',
      array: 'lineItems splits'
    }),
    needs: ['amount']
  },
  reversal: {
    structure: 'PaymentReversalRequest',
    fields: fieldsOf({ string: 'merchantAccount reference', object: 'applicationInfo' }),
    needs: []
  },
  technicalCancel: {
    structure: 'StandalonePaymentCancelRequest',
    fields: fieldsOf({
      string: 'merchantAccount paymentReference reference',
      object: 'applicationInfo'
    }),
    needs: ['paymentReference']
  }
}

/** The first thing wrong with the body of a modification, as Adyen's error, or null. */
export function refuseModification(
  kind: ModificationKind,
  body: Body,
  merchantAccount: string
): Answer | null {
  const { structure, fields, needs } = FORMS[kind]
  return (
    refuseBody(body, fields, structure, merchantAccount) ??
    (needs.includes('amount') ? refuseAmount(body.amount, 1) : null) ??
    (needs.includes('paymentReference') && !body.paymentReference
      ? missing('field', 'paymentReference', '130')
      : null) ??
    refuseLength('reference', body.reference ?? '', 80) ??
    refuseValues(body)
  )
}
