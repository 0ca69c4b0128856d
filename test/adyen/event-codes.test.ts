/**
 * Every event code of Adyen's webhooks, end to end: what a signed item does to its payment, to what
 * belongs to the payment, and to the books; or that it is kept without effect.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { checkMoney } from '../invariants.ts'
import { registerCard } from '../registered-card.ts'
import { merchantAccount, newAccountId, testService } from '../test-service.ts'

/**
 * How the payment of 25.00 GBP stands before: waiting on its page; captured; reserved, with manual
 * capture; captured, with second money that is on its way back; or a card is charged, nothing is
 * known of it, and it is to be cancelled.
 */
type Start = 'pending' | 'captured' | 'authorised' | 'reversing' | 'cancelling'

type Item = { code: string; success?: boolean; value?: number; reason?: string; alone?: boolean }

/** `ours`: the reference that its item carries, where it is not the payment's. */
type Begun = { id: string; accountId: string; about: string; ours?: string }

type Shows = [list: 'captures' | 'refunds' | 'disputes', first: Record<string, unknown>]

type Row = Item & {
  start: Start
  /** What was told before, in this order. */
  before?: Item[]
  /** What becomes of the item. */
  is: 'applied' | 'ignored' | 'waiting'
  payment?: Record<string, unknown>
  /** What was written down of it, and how it is shown. */
  shows?: Shows
  /** The events that it adds; and the transfers, as debited, credited, and pence. */
  events?: string[]
  moves?: string[]
}

const part = { value: 1000 }
const dispute = (status: string, stage: string, amountChargedBack: number): Shows => [
  'disputes',
  { status, stage, amountChargedBack }
]
const told = (...codes: string[]): Item[] => codes.map((code) => ({ code }))
const chargedBack = told('NOTIFICATION_OF_CHARGEBACK', 'CHARGEBACK')

/** The codes that change something, in one row for each way in which they do. */
const effective: Row[] = [
  {
    ...{ code: 'AUTHORISATION', start: 'pending', is: 'applied' },
    payment: { status: 'captured', amountCaptured: 2500, finished: true },
    events: ['payment.captured'],
    moves: ['provider customer 2500']
  },
  {
    ...{ code: 'AUTHORISATION', success: false, reason: 'Expired Card', start: 'pending' },
    is: 'applied',
    payment: { status: 'pending', failure: { code: 'card_expired' } },
    events: ['payment.attemptRefused']
  },
  {
    ...{ code: 'AUTHORISATION', start: 'captured', is: 'applied' },
    payment: { status: 'captured', amountCaptured: 2500 },
    events: ['reversal.requested'],
    moves: ['provider clearing 2500']
  },
  {
    ...{ code: 'OFFER_CLOSED', alone: true, start: 'pending', is: 'applied' },
    payment: { status: 'expired', failure: { code: 'expired' } },
    events: ['payment.expired']
  },
  { code: 'OFFER_CLOSED', alone: true, start: 'captured', is: 'ignored' },
  {
    ...{ code: 'EXPIRE', start: 'authorised', is: 'applied' },
    payment: { status: 'expired', failure: { code: 'expired' }, amountCaptured: 0 },
    events: ['payment.expired']
  },
  { code: 'EXPIRE', start: 'captured', is: 'applied' },
  {
    ...{ code: 'AUTHORISATION_ADJUSTMENT', value: 3000, start: 'authorised', is: 'applied' },
    payment: { status: 'authorised', amount: { value: 2500 }, amountCaptured: 0 },
    events: ['payment.amountAdjusted']
  },
  { code: 'AUTHORISATION_ADJUSTMENT', success: false, start: 'authorised', is: 'ignored' },
  {
    ...{ code: 'NOTIFICATION_OF_FRAUD', start: 'captured', is: 'applied' },
    payment: { status: 'captured', amountCaptured: 2500, amountRefundable: 2500 },
    events: ['payment.fraudReported', 'discrepancy.opened']
  },
  {
    ...{ code: 'CAPTURE', ...part, start: 'authorised', is: 'applied' },
    payment: { status: 'captured', amountCaptured: 1000 },
    shows: ['captures', { status: 'succeeded', origin: 'provider', amount: { value: 1000 } }],
    events: ['capture.succeeded', 'payment.captured'],
    moves: ['provider customer 1000']
  },
  { code: 'CAPTURE', success: false, start: 'authorised', is: 'ignored' },
  { code: 'CAPTURE', start: 'captured', is: 'applied' },
  {
    ...{ code: 'CAPTURE_FAILED', reason: 'Capture Failed', start: 'captured', is: 'applied' },
    payment: { status: 'failed', failure: { code: 'capture_failed' }, amountCaptured: 0 },
    shows: ['captures', { status: 'failed', origin: 'provider' }],
    events: ['capture.failed', 'payment.failed'],
    moves: ['customer provider 2500']
  },
  {
    ...{ code: 'CAPTURE', reason: 'Transaction Recaptured', start: 'captured', is: 'applied' },
    before: told('CAPTURE_FAILED'),
    payment: { status: 'captured', failure: null, amountCaptured: 2500 },
    shows: ['captures', { status: 'succeeded', failure: null }],
    events: ['capture.succeeded', 'payment.captured'],
    moves: ['provider customer 2500']
  },
  {
    ...{ code: 'CANCELLATION', start: 'authorised', is: 'applied' },
    payment: { status: 'cancelled', amountCaptured: 0 },
    events: ['cancellation.succeeded', 'payment.cancelled']
  },
  { code: 'CANCELLATION', success: false, start: 'authorised', is: 'ignored' },
  {
    ...{ code: 'TECHNICAL_CANCEL', start: 'authorised', is: 'applied' },
    payment: { status: 'cancelled', amountCaptured: 0 },
    events: ['cancellation.succeeded', 'payment.cancelled']
  },
  { code: 'TECHNICAL_CANCEL', success: false, start: 'authorised', is: 'ignored' },
  ...[true, false].map(
    (success): Row => ({
      ...{ code: 'TECHNICAL_CANCEL', success, alone: !success, start: 'cancelling' },
      is: 'applied',
      payment: { status: 'cancelled', amountCaptured: 0 },
      events: ['cancellation.succeeded', 'payment.cancelled']
    })
  ),
  {
    ...{ code: 'CANCEL_OR_REFUND', start: 'captured', is: 'applied' },
    payment: { status: 'captured', amountRefunded: 2500, amountRefundable: 0 },
    shows: ['refunds', { status: 'succeeded', origin: 'provider', amount: { value: 2500 } }],
    events: ['refund.succeeded'],
    moves: ['customer provider 2500']
  },
  {
    ...{ code: 'CANCEL_OR_REFUND', start: 'reversing', is: 'applied' },
    payment: { status: 'captured', amountCaptured: 2500, amountRefunded: 0 },
    events: ['reversal.succeeded'],
    moves: ['clearing provider 2500']
  },
  { code: 'CANCEL_OR_REFUND', success: false, start: 'captured', is: 'ignored' },
  {
    ...{ code: 'REFUND', ...part, start: 'captured', is: 'applied' },
    payment: { status: 'captured', amountRefunded: 1000, amountRefundable: 1500 },
    shows: ['refunds', { status: 'succeeded', origin: 'provider', amount: { value: 1000 } }],
    events: ['refund.succeeded'],
    moves: ['customer provider 1000']
  },
  { code: 'REFUND', success: false, start: 'captured', is: 'ignored' },
  { code: 'REFUND', start: 'authorised', is: 'waiting' },
  ...['REFUND_FAILED', 'REFUNDED_REVERSED'].map(
    (code): Row => ({
      ...{ code, ...part, reason: 'Refund Failed', start: 'captured', is: 'applied' },
      before: [{ code: 'REFUND', ...part }],
      payment: { amountRefunded: 0, amountRefundable: 2500 },
      shows: ['refunds', { status: 'failed', failure: { code: 'provider_error' } }],
      events: ['refund.failed'],
      moves: ['provider customer 1000']
    })
  ),
  {
    ...{ code: 'REFUND_FAILED', start: 'reversing', is: 'applied' },
    before: told('CANCEL_OR_REFUND'),
    payment: { status: 'captured', amountCaptured: 2500 },
    events: ['reversal.failed', 'discrepancy.opened'],
    moves: ['provider clearing 2500']
  },
  { code: 'REFUND_FAILED', start: 'captured', is: 'waiting' },
  {
    ...{ code: 'REQUEST_FOR_INFORMATION', start: 'captured', is: 'applied' },
    shows: dispute('open', 'informationRequest', 0),
    events: ['dispute.opened']
  },
  {
    ...{ code: 'NOTIFICATION_OF_CHARGEBACK', start: 'captured', is: 'applied' },
    payment: { amountChargedBack: 0 },
    shows: dispute('open', 'notification', 0),
    events: ['dispute.opened']
  },
  {
    ...{ code: 'DISPUTE_OPENED_WITH_CHARGEBACK', start: 'captured', is: 'applied' },
    payment: { amountChargedBack: 0 },
    shows: dispute('open', 'chargeback', 0),
    events: ['dispute.opened']
  },
  {
    ...{ code: 'INFORMATION_SUPPLIED', start: 'captured', is: 'applied' },
    before: chargedBack,
    shows: dispute('open', 'chargeback', 2500),
    events: ['dispute.updated']
  },
  {
    ...{ code: 'ISSUER_COMMENTS', start: 'captured', is: 'applied' },
    before: chargedBack,
    shows: dispute('open', 'chargeback', 2500),
    events: ['dispute.updated']
  },
  {
    ...{ code: 'CHARGEBACK', start: 'captured', is: 'applied' },
    before: told('NOTIFICATION_OF_CHARGEBACK'),
    payment: { status: 'captured', amountChargedBack: 2500, amountRefundable: 0 },
    shows: dispute('open', 'chargeback', 2500),
    events: ['dispute.updated'],
    moves: ['customer provider 2500']
  },
  { code: 'CHARGEBACK', start: 'authorised', is: 'waiting' },
  {
    ...{ code: 'CHARGEBACK_REVERSED', alone: true, start: 'captured', is: 'applied' },
    before: chargedBack,
    payment: { amountChargedBack: 0, amountRefundable: 2500 },
    shows: dispute('open', 'chargebackReversed', 0),
    events: ['dispute.updated'],
    moves: ['provider customer 2500']
  },
  { code: 'CHARGEBACK_REVERSED', alone: true, start: 'captured', is: 'waiting' },
  {
    ...{ code: 'SECOND_CHARGEBACK', alone: true, start: 'captured', is: 'applied' },
    before: [...chargedBack, { code: 'CHARGEBACK_REVERSED' }],
    payment: { amountChargedBack: 2500 },
    shows: dispute('lost', 'secondChargeback', 2500),
    events: ['dispute.closed'],
    moves: ['customer provider 2500']
  },
  ...closing('DISPUTE_DEFENSE_PERIOD_ENDED', 'lost', 'chargeback'),
  ...closing('ISSUER_RESPONSE_TIMEFRAME_EXPIRED', 'won', 'chargeback'),
  ...opening('PREARBITRATION_OPEN', 'preArbitration'),
  ...opening('PREARBITRATION_DECLINED', 'preArbitration'),
  ...closing('PREARBITRATION_ACCEPTED', 'lost', 'preArbitration'),
  ...closing('PREARBITRATION_ISSUER_WITHDRAWN', 'won', 'preArbitration'),
  ...closing('PREARBITRATION_WON', 'won', 'preArbitration'),
  ...closing('PREARBITRATION_LOST', 'lost', 'preArbitration'),
  ...opening('SCHEME_ARBITRATION', 'arbitration'),
  ...closing('SCHEME_ARBITRATION_WON', 'won', 'arbitration'),
  ...closing('SCHEME_ARBITRATION_LOST', 'lost', 'arbitration')
]

function closing(code: string, status: string, stage: string): Row[] {
  const events = ['dispute.closed']
  const shows = dispute(status, stage, 2500)
  return [{ code, start: 'captured', before: chargedBack, is: 'applied', shows, events }]
}

function opening(code: string, stage: string): Row[] {
  const events = ['dispute.updated']
  const shows = dispute('open', stage, 2500)
  return [{ code, start: 'captured', before: chargedBack, is: 'applied', shows, events }]
}

/** Kept, shown, and of no effect on a payment or its money: why. */
const ineffective: Record<string, string> = {
  AUTORESCUE: 'a retry that worked has an AUTHORISATION of its own',
  CANCEL_AUTORESCUE: 'nothing is retried for us',
  MANUAL_REVIEW_ACCEPT: 'money moves with its capture',
  MANUAL_REVIEW_REJECT: 'money moves with its cancellation or refund',
  ORDER_OPENED: 'no payment is made in parts',
  ORDER_CLOSED: 'no payment is made in parts',
  PAIDOUT_REVERSED: 'payouts are not payments',
  PAYOUT_DECLINE: 'payouts are not payments',
  PAYOUT_EXPIRE: 'payouts are not payments',
  PAYOUT_THIRDPARTY: 'payouts are not payments',
  POSTPONED_REFUND: 'the REFUND follows',
  REPORT_AVAILABLE: 'a report, not a payment',
  RECURRING_CONTRACT: 'about a card: the cards of the account are asked for'
}

/** What would say something of a payment that we can't take in: a person looks at it. Why. */
const notUnderstood: Record<string, string> = {
  REFUND_WITH_DATA: 'a refund without a payment',
  VOID_PENDING_REFUND: 'of card terminals only',
  SOMETHING_NEW: 'Adyen adds codes'
}

/** Not in the envelope of items at all: they have a `type`, and are about bank accounts. */
const notItems = ['ACH_NOTIFICATION_OF_CHANGE', 'DIRECT_DEBIT_NOTICE_OF_CHANGE_NOTIFICATION']

const specs = process.env.ADYEN_SPECS
t.test(
  'every webhook of the specification is among them',
  { skip: specs === undefined && 'ADYEN_SPECS does not name the folder of Webhooks-v1.json' },
  async (t) => {
    const document = JSON.parse(await readFile(join(specs as string, 'Webhooks-v1.json'), 'utf8'))
    const codes = Object.keys(document.webhooks).map((path) => path.slice(1))
    const known = new Set([
      ...effective.map(({ code }) => code),
      ...Object.keys(ineffective),
      ...Object.keys(notUnderstood),
      ...notItems
    ])
    t.same(
      codes.filter((code) => !known.has(code)),
      []
    )
  }
)

t.test('what every event code does', { jobs: 6 }, async (t) => {
  const service = await testService(t)
  const { call, control, createPayment, db, until } = service
  // The simulator knows nothing of this money: what we ask about it finds nobody, so that it waits.
  const unanswered = {
    status5xx: { path: '/reversals$', transientError: true },
    resetBeforeHeaders: { path: '/payments$' },
    html500: { path: '/cancels$' }
  }
  const faults = await control('PUT', '/_simulator/faults', { api: unanswered })
  t.equal(faults.status, 200)
  const cardsAccountId = newAccountId()
  await call('PUT', `/v1/accounts/${cardsAccountId}`, { body: { currency: 'GBP' } })
  const registeredCardId = await registerCard(service, cardsAccountId)
  let references = 0
  const newReference = () => {
    references += 1
    return `EVT${String(references).padStart(13, '0')}`
  }

  /** Tells an item under our reference, signed, and answers what became of it. */
  async function tell(ours: string, one: Item, about: string | null, own: string) {
    const { code, success = true, value = 2500, reason = '' } = one
    const item = {
      pspReference: own,
      ...(about !== null && !one.alone && { originalReference: about }),
      merchantAccountCode: merchantAccount,
      merchantReference: ours,
      amount: { currency: 'GBP', value },
      eventCode: code,
      eventDate: '2026-01-01T00:00:00+01:00',
      success: String(success),
      reason
    }
    const answer = await control('POST', '/_simulator/webhooks', { items: [item] })
    if (answer.status !== 202) throw new Error(answer.text)
    const path = `/v1/notifications?limit=100&reference=${ours}&eventCode=${code}`
    for (let tries = 0; tries < 1000; tries++) {
      const { body } = await call('GET', path)
      const found = body.data.find(
        (kept: { pspReference: string; status: string }) =>
          kept.pspReference === own && kept.status !== 'received'
      )
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`${code} was not applied in time`)
  }

  /** Adyen's word of a cancellation comes under the reference that was sent with it. */
  async function beginCancelling(): Promise<Begun> {
    const charge = { method: 'registeredCard', registeredCardId, allowDuplicate: true }
    const { id } = await createPayment({ ...charge, accountId: cardsAccountId })
    const { body } = await call('POST', `/v1/payments/${id}/cancellation`, {
      body: {},
      idempotencyKey: id
    })
    return { id, accountId: cardsAccountId, about: newReference(), ours: body.id }
  }

  /** A payment as a row wants it, and the reference of the money that its item is about. */
  async function begin(start: Start): Promise<Begun> {
    if (start === 'cancelling') return await beginCancelling()
    const capture = start === 'authorised' ? 'manual' : 'automatic'
    const { id, accountId } = await createPayment({ capture })
    const about = newReference()
    if (start === 'pending') return { id, accountId, about }
    await tell(id, { code: 'AUTHORISATION' }, null, about)
    const status = start === 'authorised' ? 'authorised' : 'captured'
    await until(id, (payment) => payment.status === status)
    if (start !== 'reversing') return { id, accountId, about }
    const second = newReference()
    await tell(id, { code: 'AUTHORISATION' }, null, second)
    return { id, accountId, about: second }
  }

  const eventsOf = async (id: string): Promise<string[]> => {
    const { body } = await call('GET', `/v1/payments/${id}/events?limit=100`)
    return body.data.map(({ type }: { type: string }) => type)
  }

  /** The transfers of an account, oldest first: debited account, credited account, pence. */
  async function transfersOf(accountId: string): Promise<string[]> {
    const { body } = await call('GET', `/v1/accounts/${accountId}/entries?limit=100`)
    const sides = body.data.toReversed() as Array<{
      direction: 'debit' | 'credit'
      account: string
      amount: { value: number }
    }>
    return Array.from({ length: sides.length / 2 }, (_, place) => {
      const pair = sides.slice(2 * place, 2 * place + 2)
      const of = (direction: string) => pair.find((side) => side.direction === direction)
      return `${of('debit')?.account} ${of('credit')?.account} ${pair[0]?.amount.value}`
    })
  }

  for (const row of effective) {
    const { code, success = true, start, before = [], is, moves = [], events = [] } = row
    const after = before.length > 0 ? ` after ${before.map((one) => one.code).join(', ')}` : ''
    const name = `${code} ${success} of what is ${start}${after}: ${events.join(', ') || is}`
    t.test(name, { buffered: true }, async (t) => {
      const { id, accountId, about, ours = id } = await begin(start)
      // All news of a dispute come under its reference, and all of a refund under the refund's.
      const own = code === 'AUTHORISATION' && start === 'pending' ? about : newReference()
      for (const one of before) await tell(id, one, about, own)
      const [seen, moved] = [await eventsOf(id), await transfersOf(accountId)]
      const unchanged = (await call('GET', `/v1/payments/${id}`)).body
      const kept = await tell(ours, row, code === 'AUTHORISATION' ? null : about, own)
      t.match(kept, { eventCode: code, status: is, fault: null, reference: ours })
      t.same((await eventsOf(id)).slice(seen.length), events)
      t.same((await transfersOf(accountId)).slice(moved.length), moves)
      const payment = (await call('GET', `/v1/payments/${id}`)).body
      if (row.payment !== undefined) t.match(payment, row.payment)
      if (events.length === 0) t.same(payment, unchanged, 'the payment is as it was')
      if (row.shows !== undefined) {
        const [list, first] = row.shows
        const { body } = await call('GET', `/v1/payments/${id}/${list}`)
        t.match(body.data, [{ paymentId: id, ...first }])
        t.equal(body.data.length, 1)
      }
    })
  }

  for (const [code, why] of Object.entries(ineffective)) {
    t.test(`${code} is kept without effect: ${why}`, { buffered: true }, async (t) => {
      const { id, accountId, about } = await begin('captured')
      const moved = await transfersOf(accountId)
      const unchanged = (await call('GET', `/v1/payments/${id}`)).body
      const status = code === 'RECURRING_CONTRACT' ? 'applied' : 'ignored'
      for (const success of [true, false]) {
        const kept = await tell(id, { code, success }, about, newReference())
        t.match(kept, { eventCode: code, success, status, fault: null })
      }
      t.same((await call('GET', `/v1/payments/${id}`)).body, unchanged)
      t.same(await transfersOf(accountId), moved)
    })
  }

  for (const [code, why] of Object.entries(notUnderstood)) {
    t.test(`${code} is parked, and shown to a person: ${why}`, { buffered: true }, async (t) => {
      const { id, accountId, about } = await begin('captured')
      const moved = await transfersOf(accountId)
      const kept = await tell(id, { code }, about, newReference())
      t.match(kept, { eventCode: code, status: 'parked', fault: new RegExp(code) })
      const { body } = await call('GET', `/v1/discrepancies?paymentId=${id}`)
      t.match(body.data, [{ kind: 'notification_not_understood', status: 'open' }])
      t.same(await transfersOf(accountId), moved)
    })
  }

  t.test('and the money is right', async (t) => {
    await checkMoney(t, db)
  })
})
