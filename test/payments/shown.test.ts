/** What is only shown of a payment. */
import t from 'tap'
import { toEventView } from '../../src/payments/payment-view.ts'
import { filled } from '../../src/payments/shown.ts'
import { newPayment } from '../lifecycle/aggregates.ts'

type Parts = { a: string | null; b: number | null; c?: boolean }

t.test('what another source knows more of is added, and nothing is replaced', async (t) => {
  const known: Parts = { a: 'x', b: null }
  t.strictSame(filled<Parts>(known, { a: 'y', b: 0, c: false }), { a: 'x', b: 0, c: false })
  t.equal(filled<Parts>(known, { a: 'y', b: null }), known, 'the same where nothing is added')
  t.equal(filled<Parts>(known, null), known)
  t.equal(filled<Parts>(null, known), known)
  t.equal(filled<Parts>(null, undefined), null)
})

t.test('an event from before there were wallets shows that it had none', async (t) => {
  const toView = toEventView(newPayment(), 'adyen')
  const [type, data, createdAt] = ['payment.captured' as const, {}, new Date()]
  const of = (payment: unknown) => toView({ sequence: 2, type, data, payment, createdAt }).data
  t.match(of({ id: 'pay_1', card: { brand: 'visa' } }).payment, {
    ...{ id: 'pay_1', authentication: null },
    card: { brand: 'visa', wallet: null }
  })
  t.match(of({ id: 'pay_1', card: null }).payment, { card: null, authentication: null })
  const authentication = { threeDSecure: 'none', liabilityShift: null, exemptionRequested: null }
  const now = { card: { brand: 'visa', wallet: 'applepay' }, authentication }
  t.match(of(now).payment, now)
  t.match(of(null).payment, { authentication: null }, 'and the first event, which keeps no view')
})
