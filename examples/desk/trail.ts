/** What hangs on payments: refunds, disputes, discrepancies and events, wherever they are shown. */
import type { Discrepancy, Dispute, Event, Refund } from '../../clients/typescript/src/index.ts'
import { type Html, html, money, type Part, time, words } from '../html.ts'
import { keyField } from '../keys.ts'
import { badge, table } from '../parts.ts'

const toPayment = (id: string) => html`<a href="/payments/${id}">${id}</a>`

/** With `empty` it is a list of its own, which leads to the payments and says that it is empty. */
export function toRefunds(
  caption: string,
  refunds: readonly Refund[],
  user: string | undefined,
  empty?: string
): Part {
  if (refunds.length === 0 && empty === undefined) return null
  const rows = refunds.map((refund) => [
    html`${money(refund.amount)}<small>${refund.reason}</small>`,
    ...(empty === undefined ? [] : [toPayment(refund.paymentId)]),
    html`${badge(refund.status)}<small>${refund.failure?.message}</small>`,
    html`${refund.operator?.id ?? refund.origin}<small>${time(refund.createdAt)}</small>`,
    toDecision(refund, user)
  ])
  const first = empty === undefined ? ['Refund'] : ['Refund', 'Payment']
  return table(caption, [...first, 'Status', 'Asked for by', 'Decision'], rows, empty ?? '')
}

/** The service refuses the same person; the desk says so before. */
function toDecision(refund: Refund, user: string | undefined): Part {
  const { id, paymentId, status, operator, decision, amount } = refund
  if (decision) return html`${decision.operator.id}<small>${time(decision.at)}</small>`
  if (status !== 'awaitingApproval') return null
  if (operator?.id.toLowerCase() === user?.toLowerCase()) return 'Somebody else must approve it'
  const button = (route: string, name: string, kind: string) =>
    html`<form method="post" action="/refunds/${id}/${route}">
${keyField(null)}<input type="hidden" name="payment" value="${paymentId}">
<button class="${kind}">${name}<span class="away"> ${money(amount)}</span></button></form>`
  return html`${button('approval', 'Approve', 'small')}${button('rejection', 'Reject', 'plain')}`
}

export function toDisputes(caption: string, disputes: readonly Dispute[], empty?: string): Part {
  if (disputes.length === 0 && empty === undefined) return null
  const rows = disputes.map((dispute) => [
    html`${dispute.reason ?? 'No reason given'}<small>${dispute.reasonCode}</small>`,
    ...(empty === undefined ? [] : [toPayment(dispute.paymentId)]),
    money(dispute.amount),
    html`${badge(dispute.status)}<small>${words(dispute.stage)}</small>`,
    dispute.status === 'open' && time(dispute.defendBy)
  ])
  const first = empty === undefined ? ['Reason'] : ['Reason', 'Payment']
  return table(caption, [...first, '#Amount', 'Status', 'Defend by'], rows, empty ?? '')
}

export function toDiscrepancies(
  caption: string,
  discrepancies: readonly Discrepancy[],
  empty?: string
): Part {
  if (discrepancies.length === 0 && empty === undefined) return null
  const rows = discrepancies.map(({ id, kind, status, ours, theirs, accountId, createdAt }) => [
    html`<a href="/discrepancies/${id}">${words(kind)}</a>`,
    badge(status),
    html`${ours}<small>${theirs}</small>`,
    ...(empty === undefined
      ? []
      : [accountId && html`<a href="/accounts/${accountId}">${accountId}</a>`, time(createdAt)])
  ])
  const last = empty === undefined ? [] : ['Account', 'Since']
  return table(caption, ['What', 'Status', 'Here, and there', ...last], rows, empty ?? '')
}

/** The newest first. */
export function toTimeline(events: readonly Event[]): Html {
  const items = events
    .toReversed()
    .map(
      (event) =>
        html`<li>${time(event.createdAt)} <b>${words(event.type)}</b> ${detailOf(event)}</li>`
    )
  return html`<h2>Timeline</h2><ol class="timeline" reversed>${items}</ol>`
}

/** Who asked, and who decided. */
function nameOf(type: string, { operator, decision }: Refund): string {
  const isAsked = type === 'refund.awaitingApproval' || decision === null
  const name = isAsked ? operator?.id : decision?.operator.id
  return name === undefined ? '' : `, ${name}`
}

function detailOf({ type, data }: Event): Part {
  if ('attempt' in data) return data.attempt.failure.message
  if ('refund' in data) return `${money(data.refund.amount)}${nameOf(type, data.refund)}`
  if ('capture' in data && typeof data.capture === 'object') return money(data.capture.amount)
  if ('dispute' in data) return words(data.dispute.stage)
  if ('discrepancy' in data) return words(data.discrepancy.kind)
  if ('cancellation' in data) return data.cancellation.reason
  return null
}
