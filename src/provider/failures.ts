/**
 * Why a payment, an attempt or an operation failed; closed and public. `tell` is a sentence for the
 * customer, which gives nothing away that helps a fraudster.
 */
export const failures = {
  card_declined: {
    meaning: "The card's bank declined and does not say why",
    tell: 'The bank declined the payment. Please try another card or ask your bank.'
  },
  insufficient_funds: {
    meaning: 'There is not enough money, or a limit of the card is reached',
    tell: 'The card does not have enough funds. Please try another card.'
  },
  card_expired: {
    meaning: 'The card has expired',
    tell: 'The card has expired. Please use another card.'
  },
  card_invalid: {
    meaning: 'The number or the security code is wrong',
    tell: 'The card details are not valid. Please check them and try again.'
  },
  card_blocked: {
    meaning: 'The card is blocked, lost, stolen or restricted; do not try it again',
    tell: 'The card cannot be used. Please use another card.'
  },
  authentication_failed: {
    meaning: 'The customer did not prove to be the holder of the card (3-D Secure)',
    tell: 'The bank could not confirm that it is you. Please try again.'
  },
  authentication_required: {
    meaning: 'The bank asks for the customer: charge it on a page instead',
    tell: 'The bank asks you to confirm the payment. Please pay on the card page.'
  },
  fraud_suspected: {
    meaning: 'The bank or the payment provider suspects fraud; tell the customer of a decline only',
    tell: 'The payment was declined. Please use another way to pay.'
  },
  issuer_unavailable: {
    meaning: "The card's bank did not answer; nothing was taken",
    tell: 'The bank cannot be reached at the moment. Please try again later.'
  },
  not_permitted: {
    meaning: 'The card does not allow this kind of payment',
    tell: 'The card does not allow this payment. Please use another card.'
  },
  cancelled_by_customer: {
    meaning: 'The customer cancelled on the card page',
    tell: 'The payment was cancelled. You have not been charged.'
  },
  expired: {
    meaning: 'Nobody paid in time, or what was reserved lapsed before its capture',
    tell: 'The time to pay has run out. You have not been charged.'
  },
  capture_failed: {
    meaning: 'The bank had reserved the money and did not hand it over; the account owes it again',
    tell: 'The payment could not be completed. You have not been charged.'
  },
  provider_rejected: {
    meaning: 'The payment provider refused the request; the operator looks into it',
    tell: 'The request could not be carried out. Nothing has changed.'
  },
  provider_error: {
    meaning: 'The payment provider or a bank had a fault, or the money came back',
    tell: 'Something went wrong at the bank. Please try again later.'
  },
  unknown: {
    meaning: 'No reason is known',
    tell: 'The payment did not go through. Please try again or use another card.'
  }
} as const
export type FailureCode = keyof typeof failures
export const failureCodes = Object.keys(failures) as readonly FailureCode[]
