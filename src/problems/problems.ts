/**
 * Every error that this service can answer with (RFC 9457). The code is public and never changes
 * its meaning; cause and cure are what the page of the code shows a caller.
 */
import { unknownProblems } from './unknown.ts'

type ProblemKind = { status: number; title: string; cause: string; cure: string }

export const problems = {
  request_invalid: {
    status: 400,
    title: 'The request does not fit its schema',
    cause: 'A field, parameter or header is missing, of another type, or out of bounds.',
    cure: 'Mend every fault listed in `errors`; each has a JSON pointer (RFC 6901) to its place.'
  },
  idempotency_key_missing: {
    status: 400,
    title: 'This request needs an Idempotency-Key',
    cause: 'The header is missing, or is not 1 to 255 visible ASCII characters.',
    cure: 'Send a fresh random key with each new intention, and the same key with each repetition.'
  },
  unauthenticated: {
    status: 401,
    title: 'The key or signature is missing or not valid',
    cause: 'No key and no access token, or one that is unknown, expired or revoked: see `detail`.',
    cure: 'Send a current key of your client, or a new access token for this service.'
  },
  scope_missing: {
    status: 403,
    title: 'The client lacks a scope that this request needs',
    cause: 'It is valid, but the client or its token was not given the scope named in `detail`.',
    cure: 'Use a client or a token that has the scope, or ask the operator for it.'
  },
  ...unknownProblems,
  method_not_allowed: {
    status: 405,
    title: 'The path does not take this method',
    cause: 'A route has the path, but none has it with this method.',
    cure: 'Use one of the methods that the header `Allow` of the answer lists.'
  },
  request_timeout: {
    status: 408,
    title: 'The request did not arrive in time',
    cause: 'Its headers or its body took too long to arrive.',
    cure: 'Repeat it over a new connection; with a key, under the same Idempotency-Key.'
  },
  not_acceptable: {
    status: 406,
    title: 'This is not offered in the form that was asked for',
    cause: 'The Accept header names no media type that this route can answer with.',
    cure: 'Accept application/json; lists and reports that say so offer text/csv as well.'
  },
  idempotency_key_in_flight: {
    status: 409,
    title: 'A request with this Idempotency-Key is under way',
    cause: 'The first request has not ended, or waits for the payment provider.',
    cure: 'Repeat the same request, with the same key, after `Retry-After` seconds.'
  },
  duplicate_suspected: {
    status: 409,
    title: 'A payment of the same account and amount was made a moment ago',
    cause:
      'It is pending, authorised or captured; `paymentId` names it where the client may see it.',
    cure:
      'Get that payment by its `paymentId`: while it is pending, send the customer to its ' +
      '`checkout.url` again; once it has paid, nothing is left to do. If this is meant to be a ' +
      'second payment, send `allowDuplicate: true`.'
  },
  charge_conflict: {
    status: 409,
    title: 'A charge with this reference exists with other content',
    cause: 'The reference was used on this account with another amount or due date.',
    cure: 'Use a new reference for a new charge; a charge that was pushed is never changed.'
  },
  adjustment_conflict: {
    status: 409,
    title: 'An adjustment with this reference exists with other content',
    cause:
      'The reference was used on this account with another amount, direction, reason or charge.',
    cure: 'Use a new reference for a new adjustment; correct one by the opposite one.'
  },
  account_currency_fixed: {
    status: 409,
    title: 'The currency of an account does not change',
    cause: 'The account exists with another currency.',
    cure: 'Send the currency that the account has.'
  },
  notification_not_retryable: {
    status: 409,
    title: 'This notification has nothing to try again',
    cause: 'It was applied, ignored or foreign already, or is about to be applied.',
    cure: 'Nothing needs to be done.'
  },
  notification_not_dismissable: {
    status: 409,
    title: 'This notification waits for nobody',
    cause: 'It was applied, ignored or foreign already, or is about to be applied.',
    cure: 'Nothing needs to be done.'
  },
  posting_acknowledged: {
    status: 409,
    title: 'The billing system has posted this',
    cause: 'It was acknowledged as posted; what is posted is not rejected any more.',
    cure: 'Correct it in the billing system by a movement of its own.'
  },
  payment_not_capturable: {
    status: 409,
    title: 'The payment has nothing to capture',
    cause: 'It is not authorised, is being cancelled, or has its one capture already.',
    cure: 'Read the payment and its captures; only an authorised payment is captured.'
  },
  payment_not_cancellable: {
    status: 409,
    title: 'The payment cannot be cancelled any more',
    cause: 'It has ended or was captured, or a capture or cancellation of it is under way.',
    cure: 'Read the payment; what was captured is refunded instead.'
  },
  payment_not_refundable: {
    status: 409,
    title: 'The payment has nothing to refund',
    cause: 'Nothing of it is captured.',
    cure: 'Read the payment; before its capture it is cancelled instead.'
  },
  payment_disputed: {
    status: 409,
    title: 'The payment is disputed',
    cause: 'A refund beside a chargeback would give the same money back twice.',
    cure: 'Wait until the dispute is closed; see GET /v1/payments/{id}/disputes.'
  },
  refund_not_awaiting_approval: {
    status: 409,
    title: 'The refund does not wait for a decision',
    cause: 'It needed none, or was approved or rejected already.',
    cure: 'Read the refund; nothing needs to be done.'
  },
  recorded_payment_conflict: {
    status: 409,
    title: 'This payment was recorded with other content',
    cause: 'The processor and its reference are known with another account, amount or outcome.',
    cure: 'Compare `difference`; send a reference of its own for another payment.'
  },
  correlator_conflict: {
    status: 409,
    title: 'This correlatorId stands for something with other content',
    cause: 'TMF676: the client has sent another payment or refund with the same correlatorId.',
    cure: 'Use a correlatorId of its own for another one, or send what was sent first.'
  },
  discrepancy_resolved: {
    status: 409,
    title: 'The discrepancy is resolved already',
    cause: 'Somebody has decided about it before, or what it missed has come.',
    cure: 'Read the discrepancy: its `resolution` says what was decided, by whom and why.'
  },
  webhook_endpoint_disabled: {
    status: 409,
    title: 'The webhook endpoint is disabled',
    cause: 'It was disabled by its client or because it took nothing, or it was deleted.',
    cure: 'Enable it with PATCH /v1/webhook-endpoints/{id} `{ "status": "enabled" }` first.'
  },
  webhook_endpoint_limit: {
    status: 409,
    title: 'The client has as many webhook endpoints as it may',
    cause: 'A client has at most 20 webhook endpoints, disabled ones included.',
    cure: 'Change or delete one of them: DELETE /v1/webhook-endpoints/{id}.'
  },
  precondition_failed: {
    status: 412,
    title: 'It is not as the request supposes',
    cause:
      'No ETag of `If-Match` is the present one, `If-None-Match: *` met what is there already, ' +
      'or `amountRefundable` is not what the request says it is.',
    cure: 'Read it again, decide again, and send what it says now, with a new key.'
  },
  body_too_large: {
    status: 413,
    title: 'The body is too large',
    cause: 'A body holds at most 64 KiB (1 MiB for the webhook).',
    cure: 'Send a smaller body.'
  },
  content_type_unsupported: {
    status: 415,
    title: 'The content type is not supported',
    cause: 'Bodies are JSON in UTF-8 and not compressed.',
    cure: 'Send `Content-Type: application/json` in UTF-8, without Content-Encoding.'
  },
  expectation_failed: {
    status: 417,
    title: 'The expectation cannot be met',
    cause: 'The header `Expect` asks for something other than `100-continue`.',
    cure: 'Leave the header out.'
  },
  idempotency_key_reused: {
    status: 422,
    title: 'This Idempotency-Key was used with a different request',
    cause: 'Method, path or body differ from the first request with the key.',
    cure: 'Use a new key for a new request.'
  },
  account_not_found: {
    status: 422,
    title: 'The account is not known',
    cause: '`accountId` names an account that was never pushed to this service.',
    cure: 'Correct the number, or push the account with PUT /v1/accounts/{accountId} first.'
  },
  charge_not_found: {
    status: 422,
    title: 'The charge is not known',
    cause: 'The body names a charge that its account does not have.',
    cure: 'Use the id that the push of the charge answered with, on the same account.'
  },
  registered_card_not_found: {
    status: 422,
    title: 'The account has no such registered card',
    cause: '`registeredCardId` is unknown, of another account, or was removed.',
    cure: 'Use an id of GET /v1/accounts/{accountId}/cards, or let the customer type a card.'
  },
  payment_method_not_offered: {
    status: 422,
    title: 'The page can’t offer one of `paymentMethods`',
    cause: 'It is not enabled here; or a wallet, where an operator types the card or it is kept.',
    cure: 'Send those that `errors` does not name, or leave `paymentMethods` out.'
  },
  allocations_exceed_amount: {
    status: 422,
    title: 'The allocations are more than the amount',
    cause: 'The amounts of `allocations` add up to more than what is paid.',
    cure: 'Send allocations of at most the amount; what they leave is matched by the rule.'
  },
  account_closed: {
    status: 422,
    title: 'The account is closed',
    cause: 'A closed account takes no new payments or charges.',
    cure: 'Open it with PUT /v1/accounts/{accountId}, or use another account.'
  },
  currency_mismatch: {
    status: 422,
    title: "The currency is not the account's",
    cause: 'Payments, charges and adjustments are made in the currency of their account.',
    cure: "Send the account's currency."
  },
  amount_too_large: {
    status: 422,
    title: 'The amount is too large',
    cause: 'It is above the configured limit, or above 9,999,999.99 in major units.',
    cure: 'Send a smaller amount.'
  },
  amount_not_representable: {
    status: 422,
    title: 'The amount cannot be expressed',
    cause: 'It has more decimals than the billing system or the payment provider can hold.',
    cure: 'Round the amount to what the currency has in common with both.'
  },
  capture_exceeds_authorised: {
    status: 422,
    title: 'The capture is larger than what is reserved',
    cause: 'All captures of a payment together are at most its amount.',
    cure: 'Capture at most what is left.'
  },
  refund_exceeds_captured: {
    status: 422,
    title: 'The refund is larger than what can be refunded',
    cause: 'Refunds, those under way included, and chargebacks are at most what was captured.',
    cure: 'Refund at most `amountRefundable` of the payment.'
  },
  resolution_not_allowed: {
    status: 422,
    title: 'The discrepancy cannot be resolved like that',
    cause: 'Its kind does not have this resolution, or the money is not there to do it with.',
    cure: 'Use one of the `resolutions` that the discrepancy lists.'
  },
  approver_is_requester: {
    status: 422,
    title: 'Another operator must decide',
    cause: 'The operator who asked for a refund neither approves nor rejects it.',
    cure: 'Let another operator decide.'
  },
  billing_rejections_unmatched: {
    status: 422,
    title: 'The rejections do not fit their file',
    cause:
      'No file has the name, or a detail is not in it, says otherwise than it does, is named ' +
      'twice, or was acknowledged as posted. Nothing was changed.',
    cure: 'See `errors`; send the rejections of that file as they came.'
  },
  return_url_refused: {
    status: 422,
    title: 'The returnUrl is not allowed for this client',
    cause: 'It is not https, holds user information, or its origin was not given to the client.',
    cure: 'Use an origin given with --return-origin when the client was made.'
  },
  webhook_url_refused: {
    status: 422,
    title: 'The URL can be no webhook endpoint',
    cause:
      'It is not https, holds user information, names a port that is not allowed, or leads to a ' +
      'private or special address.',
    cure: 'Use an https URL on an allowed port whose host has public addresses only.'
  },
  card_number_refused: {
    status: 422,
    title: 'A field holds a card number',
    cause: 'No field of this API ever holds one; it was neither stored nor logged.',
    cure: 'Remove it. Card numbers are typed on the card page of the provider only.'
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    cause:
      'The client, or where no key is needed the address, sent more than `RateLimit-Policy` ' +
      'allows; or too many unknown keys came from the address.',
    cure: 'Repeat the same request after `Retry-After` seconds, and spread requests evenly.'
  },
  headers_too_large: {
    status: 431,
    title: 'The headers are too large',
    cause: 'The request line and the headers together are larger than 16 KiB.',
    cure: 'Send fewer or shorter headers, and a shorter address.'
  },
  internal_error: {
    status: 500,
    title: 'A fault of ours',
    cause: 'The service met something that it does not know.',
    cure: 'Repeat the request with the same Idempotency-Key; report `requestId` if it persists.'
  },
  provider_rejected: {
    status: 502,
    title: 'The payment provider refused the request',
    cause: 'Its answer was definite: the payment has failed and nothing was taken.',
    cure: 'See `detail`; make a new payment with a new key once its cause is mended.'
  },
  provider_unavailable: {
    status: 503,
    title: 'The payment provider is not available',
    cause:
      'It did not answer, answered with an error of its own, or does not accept our key: see ' +
      '`detail`. A payment that `paymentId` names is kept and finished in the background.',
    cure: 'Repeat the same request with the same key after `Retry-After` seconds.'
  },
  issuer_unavailable: {
    status: 503,
    title: 'The issuer of access tokens is not available',
    cause: 'The token is signed with a key that is not known here, and its issuer does not answer.',
    cure: 'Repeat the same request with the same token after `Retry-After` seconds.'
  },
  overloaded: {
    status: 503,
    title: 'The service has no capacity at the moment',
    cause: 'More requests have come than it can answer soon, or its database is not available.',
    cure: 'Repeat the same request with the same key after `Retry-After` seconds.'
  }
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof problems
