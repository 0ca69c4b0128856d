import t from 'tap'
import { operationsOf } from '../../src/lifecycle/aggregate.ts'
import { requestCancellation } from '../../src/lifecycle/cancellations.ts'
import { requestCapture } from '../../src/lifecycle/captures.ts'
import type { Operation, PaymentAggregate } from '../../src/lifecycle/model.ts'
import {
  approveRefund,
  type RefundAsked,
  rejectRefund,
  requestRefund
} from '../../src/lifecycle/refunds.ts'
import type { Money } from '../../src/money.ts'
import { amountRefundable, type Operator, type Payment } from '../../src/payments/payment.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import {
  aggregateOf,
  apply,
  byHand,
  captured,
  captureFailedOf,
  captureRefused,
  checkAggregate,
  contextOf,
  disputed,
  first,
  gbp,
  only,
  ours,
  price,
  recordedElsewhere,
  refunded,
  refundRefused,
  standOf,
  traceOf
} from './aggregates.ts'

const anna: Operator = { id: 'anna', reason: 'The customer rang' }
const bert: Operator = { id: 'bert' }

function capture(aggregate: PaymentAggregate, value: number | null = null, several = false) {
  const amount = value === null ? null : gbp(value)
  return requestCapture(aggregate, { amount, several }, contextOf(aggregate))
}

const cancel = (aggregate: PaymentAggregate) =>
  requestCancellation(aggregate, { reason: null }, contextOf(aggregate))

function refund(
  aggregate: PaymentAggregate,
  value: number,
  changes: Partial<RefundAsked> = {},
  above?: number
) {
  const asked = { reason: null, operator: null, amountRefundable: null, processor: null }
  const whole = { amount: gbp(value), ...asked, ...changes }
  return requestRefund(aggregate, whole, above ?? null, contextOf(aggregate))
}

type Refusal = {
  name: string
  aggregate: () => PaymentAggregate
  ask: (aggregate: PaymentAggregate) => unknown
  code: string
  pointers?: string[]
}

const captures: Refusal[] = [
  ...(['pending', 'captured', 'refused', 'cancelled', 'expired', 'failed'] as const).map(
    (status) => ({
      name: `of a payment that is ${status}`,
      aggregate: () => aggregateOf(status),
      ask: capture,
      code: 'payment_not_capturable'
    })
  ),
  {
    name: 'of a payment that is captured automatically, where several are allowed',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => capture(aggregate, 1, true),
    code: 'payment_not_capturable'
  },
  {
    name: 'while another one is under way',
    aggregate: () => after(aggregateOf('authorised'), (aggregate) => capture(aggregate, 1000)),
    ask: (aggregate) => capture(aggregate, 1000),
    code: 'payment_not_capturable'
  },
  {
    name: 'after another one, which lets the rest go',
    aggregate: () =>
      after(aggregateOf('authorised'), (aggregate) =>
        told(aggregate, captured(first, gbp(1000), ours(capture(aggregate, 1000))))
      ),
    ask: (aggregate) => capture(aggregate, 1000),
    code: 'payment_not_capturable'
  },
  {
    name: 'while a cancellation is under way',
    aggregate: () => after(aggregateOf('authorised'), cancel),
    ask: (aggregate) => capture(aggregate, 1000, true),
    code: 'payment_not_capturable'
  },
  {
    name: 'of more than is reserved',
    aggregate: () => aggregateOf('authorised'),
    ask: (aggregate) => capture(aggregate, 2501),
    code: 'capture_exceeds_authorised',
    pointers: ['/amount/value']
  },
  {
    name: 'of more than the others have left',
    aggregate: () =>
      after(aggregateOf('authorised'), (aggregate) => capture(aggregate, 1000, true)),
    ask: (aggregate) => capture(aggregate, 1501, true),
    code: 'capture_exceeds_authorised',
    pointers: ['/amount/value']
  },
  {
    name: 'of nothing, since all is captured',
    aggregate: () =>
      after(aggregateOf('authorised'), (aggregate) =>
        told(aggregate, captured(first, price, ours(capture(aggregate, null, true))))
      ),
    ask: (aggregate) => capture(aggregate, null, true),
    code: 'capture_exceeds_authorised'
  },
  {
    name: 'of nothing, since somebody at the provider took what was asked for already',
    aggregate: () =>
      after(
        aggregateOf('authorised'),
        (aggregate) => capture(aggregate, null, true),
        (aggregate) => told(aggregate, captured(first, gbp(1000), byHand))
      ),
    ask: (aggregate) => capture(aggregate, null, true),
    code: 'capture_exceeds_authorised'
  },
  {
    name: 'in another currency',
    aggregate: () => aggregateOf('authorised'),
    ask: (aggregate) => {
      const amount = { currency: 'EUR', value: 1 }
      return requestCapture(aggregate, { amount, several: false }, contextOf(aggregate))
    },
    code: 'currency_mismatch',
    pointers: ['/amount/currency']
  }
]

const cancellations: Refusal[] = [
  ...(['captured', 'refused', 'cancelled', 'expired', 'failed'] as const).map((status) => ({
    name: `of a payment that is ${status}`,
    aggregate: () => aggregateOf(status),
    ask: cancel,
    code: 'payment_not_cancellable'
  })),
  {
    name: 'while another one is under way',
    aggregate: () => after(aggregateOf('authorised'), cancel),
    ask: cancel,
    code: 'payment_not_cancellable'
  },
  {
    name: 'while a capture is under way',
    aggregate: () => after(aggregateOf('authorised'), (aggregate) => capture(aggregate, 1000)),
    ask: cancel,
    code: 'payment_not_cancellable'
  }
]

const processor = { name: 'acme', reference: 'R1' }
const refunds: Refusal[] = [
  ...(['pending', 'authorised', 'refused', 'cancelled', 'expired', 'failed'] as const).map(
    (status) => ({
      name: `of a payment that is ${status}`,
      aggregate: () => aggregateOf(status),
      ask: (aggregate: PaymentAggregate) => refund(aggregate, 1),
      code: 'payment_not_refundable'
    })
  ),
  {
    name: 'of more than was captured',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => refund(aggregate, 2501),
    code: 'refund_exceeds_captured',
    pointers: ['/amount/value']
  },
  {
    name: 'of more than another one has left',
    aggregate: () => after(aggregateOf('captured'), (aggregate) => refund(aggregate, 2000)),
    ask: (aggregate) => refund(aggregate, 501),
    code: 'refund_exceeds_captured'
  },
  {
    name: 'where less can be refunded than was last seen',
    aggregate: () => after(aggregateOf('captured'), (aggregate) => refund(aggregate, 1000)),
    ask: (aggregate) => refund(aggregate, 100, { amountRefundable: 2500 }),
    code: 'precondition_failed'
  },
  {
    name: 'while a dispute is open',
    aggregate: () =>
      after(aggregateOf('captured'), (aggregate) => told(aggregate, disputed('notified'))),
    ask: (aggregate) => refund(aggregate, 1),
    code: 'payment_disputed'
  },
  {
    name: 'in another currency',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => refund(aggregate, 1, { amount: { currency: 'EUR', value: 1 } }),
    code: 'currency_mismatch',
    pointers: ['/amount/currency']
  },
  {
    name: 'above the limit, without saying who asks',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => refund(aggregate, 1001, {}, 1000),
    code: 'request_invalid',
    pointers: ['/operator']
  },
  {
    name: 'by a processor, of a payment that Adyen took',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => refund(aggregate, 1, { processor }),
    code: 'request_invalid',
    pointers: ['/processor']
  },
  {
    name: 'with every fault of a field at once',
    aggregate: () => aggregateOf('captured'),
    ask: (aggregate) => refund(aggregate, 1001, { processor }, 1000),
    code: 'request_invalid',
    pointers: ['/processor', '/operator']
  },
  {
    name: 'of a recorded payment, by nobody',
    aggregate: () => aggregateOf('captured', recordedElsewhere),
    ask: (aggregate) => refund(aggregate, 1),
    code: 'request_invalid',
    pointers: ['/processor']
  }
]

/** A provider that counts whole units only, of a currency that has two decimals here. */
const canExpress = ({ value }: Money) => value % 100 === 0
const finest: ReadonlyArray<[name: string, amount: Money, canExpress: (amount: Money) => boolean]> =
  [
    ['a part that the provider can not express', { currency: 'IDR', value: 150 }, canExpress],
    ['a part that billing can not hold', { currency: 'BHD', value: 1001 }, () => true]
  ]
for (const [name, amount, canExpress] of finest) {
  const whole = { amount: { ...amount, value: 10_000 } }
  const expected = { code: 'amount_not_representable', pointers: ['/amount/value'] }
  captures.push({
    name: `of ${name}`,
    aggregate: () => aggregateOf('authorised', whole),
    ask: (aggregate) =>
      requestCapture(aggregate, { amount, several: false, canExpress }, contextOf(aggregate)),
    ...expected
  })
  refunds.push({
    name: `of ${name}`,
    aggregate: () => aggregateOf('captured', { ...whole, amountCaptured: 10_000 }),
    ask: (aggregate) => refund(aggregate, 1, { amount, canExpress }),
    ...expected
  })
}

for (const [what, all] of Object.entries({ captures, cancellations, refunds })) {
  for (const { name, aggregate: make, ask, code, pointers } of all) {
    t.test(`${what}: ${name} is ${code}`, async (t) => {
      const aggregate = make()
      const before = structuredClone(aggregate)
      const problem = caught(() => ask(aggregate))
      t.equal(problem.code, code)
      if (pointers)
        t.same(
          problem.errors?.map(({ pointer }) => pointer),
          pointers
        )
      t.same(aggregate, before, 'nothing is changed')
    })
  }
}

function after(
  aggregate: PaymentAggregate,
  ...steps: Array<(aggregate: PaymentAggregate) => unknown>
): PaymentAggregate {
  for (const step of steps) step(aggregate)
  return aggregate
}

function told(aggregate: PaymentAggregate, ...events: ProviderEvent[]): void {
  const effects = apply(aggregate, ...events)
  if (effects.some((effect) => effect !== 'applied')) throw new Error(effects.join())
}

type Caught = { code?: string; errors?: Array<{ pointer: string }>; message: string }
function caught(ask: () => unknown): Caught {
  try {
    ask()
  } catch (error) {
    return error as Caught
  }
  throw new Error('it was not refused')
}

t.test('a capture', async (t) => {
  t.test('is of all that is reserved, unless it says how much', async (t) => {
    t.match(capture(aggregateOf('authorised')), {
      id: /^cap_/,
      kind: 'capture',
      authorisationReference: first,
      amount: price,
      status: 'requested',
      origin: 'client',
      providerKey: /^cap_\w+\.capture\.1$/
    })
    t.match(capture(aggregateOf('authorised'), 1000), { amount: gbp(1000) })
    t.match(capture(aggregateOf('authorised'), 2500), { amount: price })
  })

  t.test('moves nothing before it is told', async (t) => {
    const aggregate = aggregateOf('authorised')
    capture(aggregate)
    t.match(standOf(aggregate), { status: 'authorised', amountCaptured: 0, account: 0 })
    t.same(traceOf(aggregate).events, ['capture.requested'])
    checkAggregate(t, aggregate)
  })

  t.test('one of several is of what the others have left', async (t) => {
    const aggregate = aggregateOf('authorised')
    capture(aggregate, 1000, true)
    t.match(capture(aggregate, null, true), { amount: gbp(1500) })
    for (const one of operationsOf(aggregate, 'capture')) {
      told(aggregate, captured(first, one.amount, ours(one)))
    }
    t.match(standOf(aggregate), { amountCaptured: 2500, account: 2500 })
    checkAggregate(t, aggregate)
  })

  t.test('that came to nothing may be asked for again', async (t) => {
    const aggregate = aggregateOf('authorised')
    const one = capture(aggregate)
    told(aggregate, captureRefused(ours(one)))
    const other = capture(aggregate)
    t.not(other.id, one.id)
    t.not(other.providerKey, one.providerKey)
    checkAggregate(t, aggregate)
  })

  t.test('of a payment whose capture failed later is not asked for: it has failed', async (t) => {
    const aggregate = aggregateOf('authorised')
    const by = ours(capture(aggregate))
    told(aggregate, captured(first, price, by), captureFailedOf(first, price, by))
    t.equal(caught(() => capture(aggregate)).code, 'payment_not_capturable')
  })
})

t.test('what the provider can not express may be given back by another processor', async (t) => {
  const amount = { currency: 'IDR', value: 150 }
  const aggregate = aggregateOf('captured', {
    ...recordedElsewhere,
    amount: { ...amount, value: 10_000 },
    amountCaptured: 10_000
  })
  t.match(refund(aggregate, 1, { amount, processor, canExpress }), { status: 'succeeded', amount })
})

t.test('a cancellation after a capture that was refused is asked for', async (t) => {
  const aggregate = aggregateOf('authorised')
  told(aggregate, captureRefused(ours(capture(aggregate))))
  t.match(cancel(aggregate), { status: 'requested', authorisationReference: first })
})

t.test('what can be refunded', async (t) => {
  const amounts: Array<[Partial<Payment>, number]> = [
    [{}, 0],
    [{ amountCaptured: 2500 }, 2500],
    [{ amountCaptured: 2500, amountRefunded: 1000 }, 1500],
    [{ amountCaptured: 2500, amountRefunding: 1000 }, 1500],
    [{ amountCaptured: 2500, amountChargedBack: 1000 }, 1500],
    [{ amountCaptured: 2500, amountRefunded: 500, amountRefunding: 700 }, 1300],
    [
      { amountCaptured: 2500, amountRefunded: 500, amountRefunding: 700, amountChargedBack: 1300 },
      0
    ],
    [{ amountCaptured: 2500, amountRefunded: 2500, amountChargedBack: 2500 }, 0],
    [{ amountCaptured: 1000, amountRefunding: 300 }, 700]
  ]
  for (const [changes, refundable] of amounts) {
    const { payment } = aggregateOf('captured', { amountCaptured: 0, ...changes })
    t.equal(amountRefundable(payment), refundable, JSON.stringify(changes))
  }

  t.test('follows what becomes of every refund and chargeback', async (t) => {
    const aggregate = aggregateOf('captured')
    const leaves = (refundable: number, what: string) => {
      t.equal(amountRefundable(aggregate.payment), refundable, what)
      t.equal(
        caught(() => refund(structuredClone(aggregate), refundable + 1)).code,
        aggregate.disputes.some(({ status }) => status === 'open')
          ? 'payment_disputed'
          : 'refund_exceeds_captured'
      )
      checkAggregate(t, aggregate)
    }
    const waiting = refund(aggregate, 1000, { operator: anna }, 999)
    leaves(1500, 'one waits for approval')
    const requested = refund(aggregate, 500)
    leaves(1000, 'one is requested')
    told(aggregate, refunded(first, gbp(500), ours(requested)))
    leaves(1000, 'it succeeded')
    approveRefund(aggregate, waiting, bert, contextOf(aggregate))
    leaves(1000, 'the other is approved')
    told(aggregate, refundRefused(ours(waiting)))
    leaves(2000, 'it was refused')
    const another = refund(aggregate, 700, { operator: anna }, 1)
    leaves(1300, 'one waits for approval')
    rejectRefund(aggregate, another, bert, contextOf(aggregate))
    leaves(2000, 'it is rejected')
    told(aggregate, refunded(first, gbp(300), byHand))
    leaves(1700, 'one in the Customer Area')
    told(aggregate, disputed('chargedBack', { amount: gbp(800) }))
    leaves(900, 'charged back')
    told(aggregate, disputed('reversed', { amount: gbp(800) }), disputed('issuerTimeEnded'))
    leaves(1700, 'the chargeback was reversed')
    t.match(refund(aggregate, 1700, { amountRefundable: 1700 }), { status: 'requested' })
  })
})

t.test('a refund is reserved, and asked of the provider', async (t) => {
  const aggregate = aggregateOf('captured')
  t.match(
    refund(aggregate, 1000, { reason: 'Wrong tariff', operator: anna, amountRefundable: 2500 }),
    {
      id: /^ref_/,
      authorisationReference: first,
      status: 'requested',
      origin: 'client',
      reason: 'Wrong tariff',
      operator: anna,
      providerKey: /^ref_\w+\.refund\.1$/
    }
  )
  t.match(standOf(aggregate), { amountRefunded: 0, amountRefunding: 1000, account: 0 })
  t.same(traceOf(aggregate).events, ['refund.requested'])
  checkAggregate(t, aggregate)
})

t.test('a refund above the limit waits for another operator', async (t) => {
  const waiting = () => {
    const aggregate = aggregateOf('captured')
    return { aggregate, one: refund(aggregate, 1001, { operator: anna }, 1000) }
  }

  t.test('at the limit it does not', async (t) => {
    t.match(refund(aggregateOf('captured'), 1000, {}, 1000), { status: 'requested' })
    t.match(refund(aggregateOf('captured'), 2500), { status: 'requested' }, 'nor without a limit')
    t.match(refund(aggregateOf('captured'), 1, { operator: anna }, 0), {
      status: 'awaitingApproval'
    })
  })

  t.test('meanwhile it reserves, and nothing is asked', async (t) => {
    const { aggregate, one } = waiting()
    t.match(one, { status: 'awaitingApproval', decision: null, providerReference: null })
    t.match(standOf(aggregate), { amountRefunding: 1001 })
    t.same(traceOf(aggregate).events, ['refund.awaitingApproval'])
    checkAggregate(t, aggregate)
  })

  t.test('approved, it is requested: two events', async (t) => {
    const { aggregate, one } = waiting()
    approveRefund(aggregate, one, bert, contextOf(aggregate))
    const at = contextOf(aggregate).now.toISOString()
    t.match(one, { status: 'requested', decision: { operator: bert, at } })
    t.same(traceOf(aggregate).events.slice(1), ['refund.approved', 'refund.requested'])
    t.match(standOf(aggregate), { amountRefunding: 1001 })
    told(aggregate, refunded(first, gbp(1001), ours(one)))
    t.match(standOf(aggregate), { amountRefunding: 0, amountRefunded: 1001, account: -1001 })
    checkAggregate(t, aggregate)
  })

  t.test('rejected, it reserves no more', async (t) => {
    const { aggregate, one } = waiting()
    rejectRefund(aggregate, one, { id: 'bert', reason: 'No receipt' }, contextOf(aggregate))
    t.match(one, { status: 'rejected', decision: { operator: { reason: 'No receipt' } } })
    t.same(traceOf(aggregate).events.slice(1), ['refund.rejected'])
    t.match(standOf(aggregate), { amountRefunding: 0, amountRefunded: 0 })
    checkAggregate(t, aggregate)
  })

  t.test('whoever asked does not decide, however the name is written', async (t) => {
    for (const id of ['anna', 'ANNA', ' Anna ', 'anna\t']) {
      for (const decide of [approveRefund, rejectRefund]) {
        const { aggregate, one } = waiting()
        const problem = caught(() => decide(aggregate, one, { id }, contextOf(aggregate)))
        t.match(problem, { code: 'approver_is_requester', errors: [{ pointer: '/operator/id' }] })
        t.match(one, { status: 'awaitingApproval', decision: null })
        t.match(standOf(aggregate), { amountRefunding: 1001 })
      }
    }
  })

  t.test('it is decided once', async (t) => {
    for (const decide of [approveRefund, rejectRefund]) {
      for (const again of [approveRefund, rejectRefund]) {
        const { aggregate, one } = waiting()
        decide(aggregate, one, bert, contextOf(aggregate))
        const before = structuredClone(aggregate)
        const problem = caught(() => again(aggregate, one, { id: 'carl' }, contextOf(aggregate)))
        t.equal(problem.code, 'refund_not_awaiting_approval')
        t.same(aggregate, before)
      }
    }
  })

  t.test('what has changed since is checked when it is approved', async (t) => {
    const changes: Array<[string, ProviderEvent[], string | undefined]> = [
      ['nothing', [], undefined],
      ['a refund that leaves enough', [refunded(first, gbp(1499), byHand)], undefined],
      ['a refund that does not', [refunded(first, gbp(1500), byHand)], 'refund_exceeds_captured'],
      ['a dispute', [disputed('notified')], 'payment_disputed'],
      ['a question', [disputed('informationRequested')], undefined],
      [
        'a chargeback that is over',
        [disputed('chargedBack'), disputed('defencePeriodEnded')],
        'refund_exceeds_captured'
      ],
      ['a capture that failed', [captureFailedOf(first)], 'refund_exceeds_captured']
    ]
    for (const [name, events, code] of changes) {
      const { aggregate, one } = waiting()
      told(aggregate, ...events)
      const approve = () => approveRefund(aggregate, one, bert, contextOf(aggregate))
      if (code === undefined) {
        approve()
        t.match(one, { status: 'requested' }, name)
        checkAggregate(t, aggregate)
      } else {
        const before = structuredClone(aggregate)
        t.equal(caught(approve).code, code, name)
        t.same(aggregate, before, `${name}: nothing is changed`)
        rejectRefund(aggregate, one, bert, contextOf(aggregate))
        t.match(standOf(aggregate), { amountRefunding: 0 }, 'it may still be rejected')
      }
    }
  })
})

t.test('the refund of a recorded payment was made already', async (t) => {
  const aggregate = aggregateOf('captured', { ...recordedElsewhere, authorisationReference: null })
  const one = refund(aggregate, 1000, { processor })
  t.match(one, {
    status: 'succeeded',
    processor,
    authorisationReference: null,
    providerKey: null,
    origin: 'client'
  } satisfies Partial<Operation>)
  t.match(standOf(aggregate), { amountRefunded: 1000, amountRefunding: 0, account: -1000 })
  t.same(traceOf(aggregate).postings, [`recordedRefund ${only(aggregate, 'refund').id} 1000`])
  t.same(traceOf(aggregate).events, ['refund.succeeded'])
  t.equal(caught(() => refund(aggregate, 1501, { processor })).code, 'refund_exceeds_captured')
  t.match(
    refund(aggregate, 1500, { processor }, 1),
    { status: 'succeeded' },
    'no approval is needed'
  )
  checkAggregate(t, aggregate)
})
