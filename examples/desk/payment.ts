/** A payment: what to tell the caller, what can be done about it, and all that happened to it. */
import type { Client, Dispute, Payment } from '../../clients/typescript/src/index.ts'
import { type Html, html, money, type Part, plainMoney, time } from '../html.ts'
import { keyField } from '../keys.ts'
import { alert, badge, cardText, type Fault, facts, field } from '../parts.ts'
import type { Reply, Visit } from '../web.ts'
import { channels, goneBack, live, methods, page } from './layout.ts'
import { toDiscrepancies, toDisputes, toRefunds, toTimeline } from './trail.ts'

/** Without script: how long the browser waits for news of a payment that is pending, s. */
const waitS = 20

/** `faults` are those of what was just asked for, in the form named `of`. */
export async function showPayment(
  api: Client,
  visit: Visit,
  faults: readonly Fault[] = [],
  of = ''
): Promise<Reply> {
  const { params, signal, url, user } = visit
  const path = { id: params.id ?? '' }
  const wait = url.searchParams.has('wait') ? { waitS, signal } : {}
  const payment = await api.get('/v1/payments/{id}', { path, ...wait })
  const { id, accountId, reference, status } = payment
  const all = { path, query: { limit: 100 } }
  const [refunds, disputes, events, discrepancies] = await Promise.all([
    api.get('/v1/payments/{id}/refunds', all),
    api.get('/v1/payments/{id}/disputes', all),
    api.get('/v1/payments/{id}/events', all),
    api.get('/v1/discrepancies', { query: { paymentId: id, limit: 20 } })
  ])
  const actions = toActions(payment, disputes.data, faults, of, visit.form)
  const content = html`<p class="lead">Payment ${reference} of
<a href="/accounts/${accountId}">account ${accountId}</a></p>
${alert(faults)}${live('outcome', toOutcome(payment))}
<div class="columns"><div>${live('actions', actions)}
${live('facts', html`<h2>Facts</h2>${toFacts(payment)}`)}
${live('refunds', toRefunds('Refunds', refunds.data, user))}
${live('disputes', toDisputes('Disputes', disputes.data))}
${live('discrepancies', toDiscrepancies('Discrepancies', discrepancies.data))}</div>
${live('timeline', toTimeline(events.data))}</div>`
  const waitAt = status === 'pending' ? `/payments/${id}?wait` : undefined
  return page(visit, { title: money(payment.amount), content, about: id, waitAt, faults })
}

const wentBack = 'It was paid, and money of it went back. The account shows what is owed now.'
const sayings: Readonly<Record<Payment['status'], string>> = {
  pending: 'Nothing is final yet. Stay here: this page changes by itself.',
  authorised: 'The money is reserved. Capture it, or cancel and let it go.',
  captured: 'Paid. Tell the caller that the account shows it; no second payment is needed.',
  refused: 'Not paid. The caller may try again with a new payment.',
  cancelled: 'Not paid: it was cancelled. A new payment may be made.',
  expired: 'Not paid: the time to pay ran out. A new payment may be made.',
  failed: 'Not paid. Look at the timeline before another payment is made.'
}

function toOutcome(payment: Payment): Html {
  const { status, failure, checkout, method } = payment
  const isWhole = payment.amountRefunded + payment.amountChargedBack === 0
  const saying = status === 'captured' && !isWhole ? wentBack : sayings[status]
  const why = failure && html`<br>${status === 'pending' && 'The last try: '}${failure.message}`
  return html`<div class="panel">
<p role="status">${badge(status)} <b>${saying}</b>${why}</p>
${goneBack(payment)}
${status === 'pending' && checkout && toPage(checkout, method)}</div>`
}

function toPage({ url, expiresAt }: { url: string; expiresAt: string }, method: string): Html {
  const until = html`<p class="hint">Open until ${time(expiresAt)}</p>`
  if (method === 'paymentLink') {
    return html`<div class="way"><label for="link">Send this link to the caller by text</label>
<input id="link" readonly value="${url}">${until}</div>`
  }
  return html`<div class="way"><a class="button" href="${url}" target="_blank" rel="noopener">Open
the ${method === 'registeredCard' ? 'page of the card’s bank' : 'card page'}
<span class="away">(in a new tab)</span></a>${until}</div>`
}

function toFacts(payment: Payment): Html {
  const { currency } = payment.amount
  const sum = (value: number) => value > 0 && money({ currency, value })
  const { operator, provider, settlement, allocations = [] } = payment
  const toAllocation = ({ reference, amount }: { reference: string; amount: number }) =>
    html`${sum(amount)} of ${reference}<br>`
  return facts([
    ['Payment', payment.id],
    [
      'Made',
      html`${methods[payment.method]}, ${channels[payment.channel]}, ${time(payment.createdAt)}`
    ],
    ['Card', payment.card && cardText(payment.card)],
    ['Operator', operator && html`${operator.id}<br><small>${operator.reason}</small>`],
    ['Description', payment.description],
    ['Pays', allocations.length > 0 && allocations.map(toAllocation)],
    ['Left as credit', sum(payment.amountUnallocated ?? 0)],
    ['Captured', sum(payment.amountCaptured)],
    ['Refunded', sum(payment.amountRefunded)],
    ['Charged back', sum(payment.amountChargedBack)],
    [provider.name === 'adyen' ? 'PSP reference' : provider.name, provider.reference],
    [
      'Settled',
      settlement &&
        html`${money({ currency: settlement.currency, value: settlement.net })}
net of fees, batch ${settlement.batch}, ${time(settlement.settledAt, 'day')}`
    ]
  ])
}

/** A mere question of the bank does not. */
const blocksRefunds = ({ status, stage }: Dispute) =>
  status === 'open' && stage !== 'informationRequest'

/** Each in a part that opens; where it was just refused it stands open. */
function toActions(
  payment: Payment,
  disputes: readonly Dispute[],
  faults: readonly Fault[],
  of: string,
  typed: URLSearchParams
): Part {
  const { id, status, amount, amountRefundable } = payment
  const form = (name: string, summary: string, fields: Html, button: string) =>
    html`<details ${of === name && html`open`}><summary>${summary}</summary>
<form method="post" action="/payments/${id}/${name}">
${keyField(of === name ? typed.get('key') : null)}${fields}
<button>${button}</button></form></details>`
  const asked = (name: string, label: string, otherwise: string) => {
    return { name, label, value: typed.get(name) ?? otherwise, faults }
  }
  const sum = (name: string, value: number) => {
    const label = `Amount, in ${amount.currency}`
    const most = plainMoney({ ...amount, value })
    return field(
      asked(`${name}-amount`, label, most),
      html`required inputmode="decimal" autocomplete="off"`
    )
  }
  const reason = (name: string) =>
    field(asked(`${name}-reason`, 'Reason', ''), html`required maxlength="200" autocomplete="off"`)
  // Under the same key it is the same request, whatever has become of the first one.
  const seen = (of === 'refund' && typed.has('key') && typed.get('refundable')) || amountRefundable
  const refund = html`${sum('refund', amountRefundable)}${reason('refund')}
<input type="hidden" name="refundable" value="${seen}">`
  const mayRefund = !disputes.some(blocksRefunds)
  const isOpen = status === 'authorised' || status === 'pending'
  return html`<div class="actions">
${status === 'authorised' && form('capture', 'Capture', sum('capture', amount.value), 'Capture')}
${isOpen && form('cancel', 'Cancel', reason('cancel'), 'Cancel the payment')}
${amountRefundable > 0 && mayRefund && form('refund', 'Refund', refund, 'Ask for the refund')}
${!mayRefund && html`<p class="hint">Nothing is refunded while the dispute is open.</p>`}
${payment.amountCaptured > 0 && html`<a href="/payments/${id}/receipt">Receipt</a>`}</div>`
}
