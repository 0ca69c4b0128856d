import { type Answer, adyenError, notFound } from './adyen-error.ts'
import { statusOf } from './checkouts.ts'
import { adyenTime } from './clock.ts'
import type { Context } from './context.ts'
import { newLinkId } from './identifiers.ts'
import { type LinkRequest, linkExpiryOf, refuseLink, refuseLinkUpdate } from './link-request.ts'
import type { Body } from './request-checks.ts'
import type { Link } from './state.ts'

/** POST /paymentLinks: https://docs.adyen.com/api-explorer/Checkout/72/post/paymentLinks */
export function createLink(context: Context, body: Body): Answer {
  const now = new Date()
  const refusal = refuseLink(body, context.merchantAccount, now)
  if (refusal !== null) return refusal
  const request = body as unknown as LinkRequest
  const link: Link = {
    id: newLinkId(),
    createdAt: now.toISOString(),
    updatedAt: now.toISOString(),
    expiresAt: adyenTime(linkExpiryOf(request, now)),
    request,
    status: 'active',
    attempts: []
  }
  context.state.links.put(link)
  return { status: 201, body: describeLink(context, link) }
}

/** GET /paymentLinks/{id}, which unlike a session's may be asked again and again. */
export function getLink(context: Context, id: string): Answer {
  const link = context.state.links.get(id)
  return link === undefined ? notFound() : { status: 200, body: describeLink(context, link) }
}

/** PATCH /paymentLinks/{id}: the only change is to end what is not paid. */
export function updateLink(context: Context, id: string, body: Body): Answer {
  const refusal = refuseLinkUpdate(body)
  if (refusal !== null) return refusal
  const link = context.state.links.get(id)
  if (link === undefined) return notFound()
  if (statusOf(link) === 'completed' || statusOf(link) === 'paymentPending') {
    return adyenError(422, '14_056', 'Only active payment links can be expired')
  }
  if (link.status === 'active') {
    link.status = 'expired'
    link.updatedAt = new Date().toISOString()
    context.state.links.put(link)
  }
  return { status: 200, body: describeLink(context, link) }
}

/** The answer repeats the request. */
export function describeLink({ origin }: Context, link: Link): object {
  const { id, request, expiresAt, updatedAt } = link
  return {
    ...request,
    reusable: request.reusable ?? false,
    id,
    status: statusOf(link),
    url: `${origin}/link/${id}`,
    expiresAt,
    updatedAt: adyenTime(new Date(updatedAt))
  }
}
