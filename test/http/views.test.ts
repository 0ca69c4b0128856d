import t from 'tap'
import { toAccountView, toChargeView, toEntryView } from '../../src/accounts/account.routes.ts'
import { toAdjustmentView } from '../../src/accounts/adjustment.routes.ts'
import { toNotificationView } from '../../src/adyen/notification.routes.ts'
import { toFileView } from '../../src/billing/billing.ts'
import { toPostingView } from '../../src/billing/posting.ts'
import { toSummary, toSummaryView } from '../../src/books/summary.ts'
import { balance } from '../../src/books/three-way.ts'
import { toCardView } from '../../src/cards/card.ts'
import { toDiscrepancyView } from '../../src/discrepancies/discrepancy.ts'
import { toListedView } from '../../src/disputes/dispute.ts'
import { toFeedView } from '../../src/feed/feed-view.ts'
import { toDisputeView } from '../../src/lifecycle/disputes.ts'
import { operationKinds } from '../../src/lifecycle/model.ts'
import { newOperation } from '../../src/lifecycle/operation.ts'
import { toOperationView } from '../../src/lifecycle/operation-view.ts'
import { toEventView, toPaymentView } from '../../src/payments/payment-view.ts'
import { toReceiptView } from '../../src/receipts/receipt.ts'
import { toReportView } from '../../src/settlement/report.routes.ts'
import { toAttemptView, toDeliveryView, toEndpointView } from '../../src/webhooks/webhook.ts'
import { declined, newContext, newPayment, price, visa } from '../lifecycle/aggregates.ts'

const secret = 'not for clients'
/** What goes out as it is kept, by its contract. */
const asKept = new Set(['metadata', 'details', 'data', 'item', 'then'])

/** The value with a field more in every object of it, as a new column or member would bring it. */
function widen<T>(value: T): T {
  if (Array.isArray(value)) return value.map(widen) as T
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  const fields = Object.entries(value).map(([name, field]) => [
    name,
    asKept.has(name) ? field : widen(field)
  ])
  return { ...Object.fromEntries(fields), addedLater: secret } as T
}

const now = new Date('2026-11-22T10:00:00Z')
const operator = { id: 'agent-7', reason: 'The caller asked for it' }
const processor = { name: 'acme', reference: 'A1' }
const payment = newPayment({
  operator,
  processor,
  failure: declined,
  card: visa,
  metadata: { till: '4' },
  settlement: { settledAt: null, batch: '41', gross: 2500, fees: 20, net: 2480, currency: 'GBP' }
})
const event = {
  position: 1,
  type: 'payment.created' as const,
  eventId: null,
  accountId: 1,
  sequence: 1,
  createdAt: now,
  data: {},
  // biome-ignore lint/suspicious/noThenProperty: no promise, but the payment at that time.
  then: null,
  payment
}
const dispute = {
  id: 'dsp_1',
  reference: 'PSP1',
  alsoReportedAs: [],
  status: 'open' as const,
  stage: 'chargeback' as const,
  amount: price,
  amountChargedBack: 2500,
  reason: null,
  reasonCode: null,
  defendBy: now,
  reported: [],
  createdAt: now,
  updatedAt: now,
  closedAt: null
}
const allocated = { charges: [{ chargeId: 'chg_1', reference: 'INV-1', amount: 2500 }], left: 0 }
const refund = { id: 'ref_1', amount: 100, createdAt: now }
const posting = {
  position: 1,
  id: 'txn_1',
  accountId: 1,
  amount: price,
  direction: 'credit' as const,
  kind: 'payment' as const,
  cause: { type: 'payment', id: 'pay_1' },
  paymentId: 'pay_1',
  paymentReference: null,
  externalReference: null,
  cardReference: null,
  channel: 'selfcare' as const,
  occurredAt: now,
  status: 'open' as const,
  reason: null,
  acknowledgedAt: null,
  file: { id: 'bil_1', sequence: 1 }
}
const discrepancy = {
  id: 'dis_1',
  kind: 'settlement_amount' as const,
  fact: 'PSP1',
  paymentId: 'pay_1',
  accountId: 1,
  details: {},
  status: 'resolved' as const,
  createdAt: now,
  ageS: 1,
  decision: { resolution: 'acknowledged' as const, reason: null, operator: { id: 'finance-3' } },
  resolvedAt: now
}
const notification = {
  id: 'ntf_1',
  event_code: 'AUTHORISATION',
  success: true,
  psp_reference: 'PSP1',
  original_reference: null,
  merchant_reference: 'pay_1',
  merchant_account: 'TestMerchant',
  currency: 'GBP',
  amount: 2500,
  live: false,
  item: { eventCode: 'AUTHORISATION', additionalData: { hmacSignature: secret } },
  status: 'applied',
  fault: null,
  next_attempt_at: null,
  attempts: 0,
  received_at: now,
  applied_at: now
} as unknown as Parameters<typeof toNotificationView>[0]
const report = {
  id: 'set_1',
  status: 'done',
  origin: 'upload',
  kind: 'settlementDetails',
  file_name: null,
  lines: 1,
  applied: 1,
  matched: 1,
  discrepancies: 0,
  unknown_types: [],
  fault: null,
  created_at: now,
  finished_at: now
} as unknown as Parameters<typeof toReportView>[0]
const endpoint = {
  id: 'whe_1',
  clientId: 'cli_1',
  url: 'https://billing.example/events',
  events: ['*'],
  description: null,
  format: 'standard' as const,
  query: null,
  status: 'enabled' as const,
  disabledReason: null,
  createdAt: now
}
const delivery = {
  id: 'whd_1',
  endpointId: 'whe_1',
  eventId: 'pay_1.1',
  type: 'payment.created',
  paymentId: 'pay_1',
  status: 'pending' as const,
  dueAt: now,
  deliveredAt: null,
  attempts: 1,
  createdAt: now
}
const attempt = {
  number: 1,
  startedAt: now,
  durationMs: 41,
  httpStatus: 500,
  error: null,
  response: 'Internal Server Error'
}
const file = {
  id: 'bil_1',
  currency: 'GBP',
  transactionType: 'payment' as const,
  recordCount: 1,
  totalAmount: 2500,
  createdAt: now
}
const account = { id: 1, currency: 'GBP', name: null, status: 'open' as const }
const owed = { outstanding: 0, overdue: 0, inQuery: 0, credit: 0 }
const charge = {
  id: 'chg_1',
  accountId: 1,
  reference: 'INV-1',
  amount: 2500,
  openAmount: 0,
  inQuery: false,
  dueAt: now,
  createdAt: now
}
const adjustment = {
  id: 'adj_1',
  accountId: 1,
  direction: 'credit' as const,
  amount: 1200,
  reference: 'ADJ-1',
  reason: 'Paid by bank transfer',
  chargeId: null,
  createdAt: now
}
const entry = {
  transferId: 'txn_1',
  direction: 'debit' as const,
  account: 'customer' as const,
  currency: 'GBP',
  amount: 2500,
  causeType: 'payment',
  causeId: 'pay_1',
  paymentId: 'pay_1',
  createdAt: now
}
const card = { id: 'crd_1', accountId: 1, token: 'T1', face: visa, createdAt: now }
const sums = { open: 1, posted: 0, rejected: 0 }
const moved = {
  currency: 'GBP',
  posting: 'payment',
  debitAccount: 'provider' as const,
  creditAccount: 'customer' as const,
  before: 0,
  during: 2500,
  count: 1
}
const settled = { currency: 'GBP', lines: 1, gross: 2500, ours: 2500, settledUntil: 2500 }
const paidOut = {
  ...{ currency: 'GBP', payments: 2480, fees: 20, costs: 0, carried: 0, paidOut: -2480, other: 0 }
}
const counted = { kind: 'settlement_amount' as const, opened: 1, resolved: 0, open: 1 }
const summedUp = [
  { currency: 'GBP', what: 'ledger' as const, count: 1, amount: 2500 },
  { currency: 'GBP', what: 'notSettledYet' as const, count: 1, amount: -2500 },
  { currency: 'GBP', what: 'rejected' as const, count: 1, amount: -2500 }
]

const views: Record<string, () => unknown> = {
  payment: () => toPaymentView(widen(payment), 'adyen', widen(allocated)),
  receipt: () =>
    toReceiptView(widen({ ...payment, allocated }), widen([refund]), {
      providerName: 'adyen',
      merchantName: null
    }),
  'event of a payment': () =>
    toEventView(widen(payment), 'adyen')(widen({ ...event, payment: null })),
  'event of the feed': () => toFeedView(widen(event), 'adyen'),
  'event of no payment': () =>
    toFeedView(widen({ ...event, eventId: 'evt_1', payment: null, sequence: null }), 'adyen'),
  dispute: () => toDisputeView(widen(dispute), 'pay_1'),
  'dispute of a list': () => toListedView(widen({ ...dispute, paymentId: 'pay_1', accountId: 1 })),
  'registered card': () => toCardView(widen(card)),
  account: () => toAccountView(widen(account), widen(owed)),
  charge: () => toChargeView(widen(charge), 'GBP'),
  adjustment: () => toAdjustmentView(widen(adjustment), 'GBP'),
  entry: () => toEntryView(widen(entry)),
  posting: () => toPostingView(widen(posting)),
  'billing file': () => toFileView(widen(file), widen(sums)),
  discrepancy: () => toDiscrepancyView(widen(discrepancy)),
  notification: () => toNotificationView(widen(notification)),
  'settlement report': () => toReportView(widen(report)),
  'webhook endpoint': () => toEndpointView(widen(endpoint)),
  delivery: () => toDeliveryView(widen(delivery)),
  attempt: () => toAttemptView(widen(attempt)),
  'summary of a day': () =>
    toSummaryView(
      '2026-11-22',
      toSummary(widen([moved]), widen([settled]), widen([paidOut])),
      widen([counted])
    ),
  'three sides': () => balance(widen(summedUp))
}
for (const kind of operationKinds) {
  views[kind] = () => {
    const decision = { operator, at: now.toISOString() }
    const given = { kind, authorisationReference: 'PSP1', amount: price, failure: declined }
    const operation = newOperation({ ...given, operator, decision, processor }, newContext())
    return toOperationView(widen(operation), 'pay_1')
  }
}

for (const [name, view] of Object.entries(views)) {
  t.test(`${name}: what is added to its row does not go out by itself`, async (t) => {
    const shown = JSON.stringify(view())
    t.ok(shown.length > 50, 'something is shown')
    t.notMatch(shown, secret)
  })
}
