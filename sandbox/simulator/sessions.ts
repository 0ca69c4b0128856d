import { withParameters } from './addresses.ts'
import { type Answer, adyenError, notValid } from './adyen-error.ts'
import { statusOf } from './checkouts.ts'
import { adyenTime } from './clock.ts'
import type { Context } from './context.ts'
import { newSessionData, newSessionId, newSessionResult } from './identifiers.ts'
import { expiryOf, refuseSession, type SessionRequest } from './session-request.ts'
import type { Session, SessionResult, SessionStatus } from './state.ts'
import { spelled } from './wallets.ts'

/** POST /sessions: https://docs.adyen.com/api-explorer/Checkout/72/post/sessions */
export function createSession(context: Context, body: Record<string, unknown>): Answer {
  const now = new Date()
  const refusal = refuseSession(body, context.merchantAccount, now)
  if (refusal !== null) return refusal

  const request = body as unknown as SessionRequest
  const session: Session = {
    id: newSessionId(),
    createdAt: now.toISOString(),
    expiresAt: adyenTime(expiryOf(request, now)),
    request,
    status: 'active',
    attempts: [],
    result: null
  }
  context.state.sessions.put(session)
  return { status: 201, body: describeSession(context, session) }
}

/** The answer repeats the request. */
function describeSession({ origin }: Context, { id, request, expiresAt }: Session): object {
  const { dateOfBirth, mode = 'embedded' } = request
  return {
    ...request,
    ...(dateOfBirth === undefined ? {} : { dateOfBirth: adyenTime(new Date(dateOfBirth)) }),
    mode,
    id,
    expiresAt,
    sessionData: newSessionData(),
    ...(mode === 'hosted' ? { url: `${origin}/pay/${id}` } : {})
  }
}

/**
 * GET /sessions/{id}?sessionResult=. Adyen answers 500 when the sessionResult is percent-encoded,
 * see github.com/Adyen/adyen-node-api-library/issues/1467, so the raw query is what counts.
 */
export function getSessionResult(context: Context, id: string, rawQuery: string): Answer {
  const parameter = rawQuery.split('&').find((part) => part.startsWith('sessionResult='))
  const given = parameter?.slice('sessionResult='.length) ?? ''
  if (given === '') {
    return adyenError(422, '702', "Required query parameter 'sessionResult' is not provided")
  }
  if (/%(2B|2F|3D|21)/i.test(given)) {
    return adyenError(500, '701', 'Server could not process request', 'internal')
  }
  const session = context.state.sessions.get(id)
  if (session?.result?.sessionResult !== given) return notValid('sessionId')
  const { status, payments } = session.result
  return { status: 200, body: { id, status, reference: session.request.reference, payments } }
}

/** Ends a session for good; the result is what the shopper takes back to the merchant. */
export function endSession(context: Context, session: Session, status: SessionStatus): void {
  const { amount } = session.request
  const payments: SessionResult['payments'] = session.attempts
    .filter(({ resultCode }) => resultCode === 'Authorised' || resultCode === 'Received')
    .map(({ pspReference, resultCode, card }) => ({
      pspReference,
      resultCode,
      amount,
      ...(resultCode === 'Authorised'
        ? { paymentMethod: { type: card.wallet ?? 'scheme', brand: spelled(card) } }
        : {})
    }))
  session.status = status
  session.result = { sessionResult: newSessionResult(), status, payments }
  context.state.sessions.put(session)
}

/** Where the shopper goes in the end: the merchant's returnUrl, its own query untouched. */
export function returnAddress(context: Context, session: Session): string {
  if (session.result === null) endSession(context, session, statusOf(session))
  const sessionResult = session.result?.sessionResult ?? ''
  return withParameters(session.request.returnUrl, { sessionId: session.id, sessionResult })
}
