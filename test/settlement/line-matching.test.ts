/** What a line does to a payment whose facts are known already, under whatever reference. */
import t from 'tap'
import { applyEvent } from '../../src/lifecycle/apply.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import { newOperation } from '../../src/lifecycle/operation.ts'
import { type Known, matchLine } from '../../src/settlement/line-matching.ts'
import type { SettlementLine } from '../../src/settlement/settlement.ts'
import { contextOf, disputed, first, gbp, newAggregate, paidBy } from '../lifecycle/aggregates.ts'

const sale: SettlementLine = {
  line: 1,
  merchantAccount: 'TestMerchant',
  batch: '41',
  type: 'Settled',
  meaning: 'settled',
  pspReference: first,
  merchantReference: null,
  modificationReference: 'MOD1',
  modificationMerchantReference: null,
  bookedAs: '2026-01-15 10:15:00',
  zone: 'CET',
  bookedAt: '2026-01-15T09:15:00.000Z',
  bookedFrom: '2026-01-15T09:15:00.000Z',
  unknownZone: null,
  settledAt: '2026-01-17T09:15:00.000Z',
  gross: gbp(2500),
  net: gbp(2478),
  fees: 22,
  otherFees: 0,
  areFeesNamed: true
}
const chargeback: SettlementLine = {
  ...sale,
  ...{ type: 'Chargeback', meaning: 'chargedBack', gross: gbp(-2500), net: gbp(-2500), fees: 0 }
}
const nothing = (): Known => ({ seen: new Map(), booked: new Map() })

/** What stands in the books of a payment. */
function booksOf({ payment, operations, disputes, postings }: PaymentAggregate) {
  const { amountCaptured, amountChargedBack } = payment
  return { amountCaptured, amountChargedBack, operations, disputes: disputes.length, postings }
}

function applyAll(aggregate: PaymentAggregate, ...events: Parameters<typeof applyEvent>[1][]) {
  for (const event of events) {
    t.equal(applyEvent(aggregate, event, contextOf(aggregate)), 'applied')
  }
}

t.test('a line about what is known books nothing, and a second one is doubled', async (t) => {
  const aggregate = newAggregate()
  applyAll(aggregate, paidBy(first), disputed('chargedBack', { dispute: 'MOD1' }))
  const before = structuredClone(booksOf(aggregate))
  const known = nothing()
  for (const line of [sale, chargeback]) {
    const { record, discrepancy } = matchLine(aggregate, line, known, contextOf(aggregate))
    t.match(record, { amount: gbp(2500), times: 1 })
    t.equal(discrepancy, null)
    const again = matchLine(aggregate, line, known, contextOf(aggregate))
    t.match(again, { record, discrepancy: { kind: 'settlement_doubled' } })
  }
  t.same(booksOf(aggregate), before)
  t.match(aggregate.payment.settlement, { gross: 2500, net: 2478 }, 'the second sale adds nothing')
})

t.test(
  'a chargeback that was reported under another reference is found by its amount',
  async (t) => {
    const aggregate = newAggregate()
    applyAll(aggregate, paidBy(first), disputed('chargedBack', { dispute: 'ANOTHER' }))
    const before = structuredClone(booksOf(aggregate))
    const found = matchLine(aggregate, chargeback, nothing(), contextOf(aggregate))
    t.match(found, {
      record: { type: 'dispute', id: aggregate.disputes[0]?.id },
      discrepancy: null
    })
    t.same(booksOf(aggregate), before, 'it is not booked twice')
  }
)

t.test('a capture whose reference never reached us is found by its amount', async (t) => {
  const aggregate = newAggregate({ capture: 'manual' })
  applyAll(aggregate, paidBy(first))
  const event = { type: 'captured', authorisationReference: first, amount: gbp(1000) } as const
  const by = { providerReference: '', reference: 'cap_1' }
  applyAll(aggregate, { ...event, by, again: false })
  for (const one of aggregate.operations) one.providerReference = null
  const before = structuredClone(booksOf(aggregate))
  const line = { ...sale, gross: gbp(1000), net: gbp(978) }
  const { record, discrepancy } = matchLine(aggregate, line, nothing(), contextOf(aggregate))
  t.match(record, { type: 'capture', id: aggregate.operations[0]?.id })
  t.equal(discrepancy, null)
  t.match(booksOf(aggregate), { amountCaptured: before.amountCaptured })
  t.equal(aggregate.operations.length, 1, 'and no other is written down')
})

t.test('a capture that was asked for succeeds by its line, whose reference is new', async (t) => {
  const aggregate = newAggregate({ capture: 'manual' })
  applyAll(aggregate, paidBy(first))
  const asked = { kind: 'capture', authorisationReference: first, amount: gbp(1000) } as const
  aggregate.operations.push(newOperation(asked, contextOf(aggregate)))
  const line = { ...sale, gross: gbp(1000), net: gbp(978) }
  const { record, discrepancy } = matchLine(aggregate, line, nothing(), contextOf(aggregate))
  t.match(record, { type: 'capture', id: aggregate.operations[0]?.id, times: 1 })
  t.equal(discrepancy, null)
  t.match(aggregate.operations, [{ status: 'succeeded' }])
  t.equal(aggregate.operations.length, 1)
  t.equal(aggregate.payment.amountCaptured, 1000)
})

t.test('of several lines of a payment the latest says when it was settled', async (t) => {
  const linesOf = (settledAt: string | null) => [
    { ...sale, gross: gbp(1000), net: gbp(990), fees: 10, modificationReference: 'MOD1' },
    {
      ...sale,
      ...{ gross: gbp(1500), net: gbp(1490), fees: 10, modificationReference: 'MOD2' },
      ...{ batch: '42', settledAt }
    }
  ]
  const later = '2026-01-18T09:15:00.000Z'
  for (const settledAt of [later, sale.settledAt, null]) {
    const lines = linesOf(settledAt)
    const settlements = [lines, lines.toReversed()].map(settledIn)
    const batch = settledAt === null ? '41' : '42'
    const last = { settledAt: settledAt ?? sale.settledAt, batch }
    t.match(settlements[0], { ...last, gross: 2500, net: 2480, fees: 20 })
    t.same(settlements[1], settlements[0])
  }

  function settledIn(order: SettlementLine[]) {
    const aggregate = newAggregate({ capture: 'manual' })
    applyAll(aggregate, paidBy(first))
    const known = nothing()
    for (const line of order) {
      const { discrepancy } = matchLine(aggregate, line, known, contextOf(aggregate))
      t.equal(discrepancy, null)
    }
    return aggregate.payment.settlement
  }
})
