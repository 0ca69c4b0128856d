/**
 * True stories of one payment: what a provider can report of it. Each event is true, and none
 * depends on what we do about another; so every order of them must end alike.
 */
import { requestCapture } from '../../src/lifecycle/captures.ts'
import type { PaymentAggregate } from '../../src/lifecycle/model.ts'
import { requestRefund } from '../../src/lifecycle/refunds.ts'
import type { ProviderEvent, RequestReference } from '../../src/provider.ts'
import {
  aggregateOf,
  cancelled,
  captured,
  captureFailedOf,
  captureRefused,
  contextOf,
  disputed,
  expiryOf,
  first,
  gbp,
  newAggregate,
  ours,
  paidBy,
  price,
  recaptured,
  refunded,
  refundFailedOf,
  refundRefused,
  refusedBy,
  reversed
} from './aggregates.ts'

/** How the story stands at the end: minor units on the customer's account, and in clearing. */
export type End = {
  status: string
  amountCaptured: number
  amountRefunded?: number
  amountChargedBack?: number
  account: number
  /** Kinds of discrepancies that are open. */
  open?: string[]
}

export type Story = {
  name: string
  begin: () => PaymentAggregate
  events: (aggregate: PaymentAggregate) => ProviderEvent[]
  end: End
}

export const hand = (n: number): RequestReference => ({
  providerReference: `HAND00000000000${n}`,
  reference: 'by hand'
})

export const automatic = () => newAggregate()
export const manual = () => newAggregate({ capture: 'manual' })
/** Reserved, with a capture of ours that the provider has accepted. */
export function capturing(...values: number[]): PaymentAggregate {
  const aggregate = aggregateOf('authorised')
  for (const value of values) {
    const asked = { amount: gbp(value), several: true }
    const capture = requestCapture(aggregate, asked, contextOf(aggregate))
    capture.providerReference = `MOD${capture.id}`
  }
  return aggregate
}
/** Captured, with refunds of ours that the provider has accepted. */
export function refunding(...values: number[]): PaymentAggregate {
  const aggregate = aggregateOf('captured')
  const nothing = { reason: null, operator: null, amountRefundable: null, processor: null }
  for (const value of values) {
    const asked = { amount: gbp(value), ...nothing }
    const refund = requestRefund(aggregate, asked, null, contextOf(aggregate))
    refund.providerReference = `MOD${refund.id}`
  }
  return aggregate
}
export const own = (aggregate: PaymentAggregate, n = 0) => {
  const operation = aggregate.operations[n]
  if (operation === undefined) throw new Error(`no operation ${n}`)
  return ours(operation)
}

const adjusted = (value: number, n: number, at = `2026-02-0${n}T00:00:00Z`): ProviderEvent => ({
  type: 'amountAdjusted',
  authorisationReference: first,
  amount: gbp(value),
  by: hand(n),
  at: new Date(at)
})
const fraud: ProviderEvent = {
  type: 'fraudReported',
  authorisationReference: first,
  reference: 'FRAUD00000000001',
  amount: price,
  reason: 'Card not present fraud'
}
export const dispute = (event: Parameters<typeof disputed>[0], changes = {}) =>
  disputed(event, { authorisationReference: first, ...changes })

export const paid = { status: 'captured', amountCaptured: 2500, account: 2500 } as const
export const notTaken = { status: 'failed', amountCaptured: 0, account: 0 } as const

/** Stories of payments that are captured automatically. */
const automaticStories: Story[] = [
  {
    name: 'an attempt is refused, another pays',
    begin: automatic,
    events: () => [refusedBy('REFUSED000000001'), paidBy(first)],
    end: paid
  },
  {
    name: 'the same attempt is refused and then paid',
    begin: automatic,
    events: () => [refusedBy(first), paidBy(first), refusedBy('REFUSED000000001')],
    end: paid
  },
  {
    name: 'it is captured, and that is reported as well',
    begin: automatic,
    events: () => [paidBy(first), captured(first, price, hand(1))],
    end: paid
  },
  {
    name: 'its capture fails',
    begin: automatic,
    events: () => [paidBy(first), captureFailedOf(first, price, hand(1))],
    end: notTaken
  },
  {
    name: 'A11: its capture is reported, and fails under the same reference',
    begin: automatic,
    events: () => [
      paidBy(first),
      captured(first, price, hand(1)),
      captureFailedOf(first, price, hand(1))
    ],
    end: notTaken
  },
  {
    name: 'A11: its capture is reported, and fails under another reference',
    begin: automatic,
    events: () => [
      paidBy(first),
      captured(first, price, hand(1)),
      captureFailedOf(first, price, hand(2))
    ],
    end: notTaken
  },
  {
    name: 'its capture fails and is taken again',
    begin: automatic,
    events: () => [
      paidBy(first),
      captureFailedOf(first, price, hand(1)),
      recaptured(first, price, hand(1))
    ],
    end: paid
  },
  {
    name: 'its capture fails and is taken again under another reference',
    begin: automatic,
    events: () => [
      paidBy(first),
      captureFailedOf(first, price, hand(1)),
      recaptured(first, price, hand(2))
    ],
    end: paid
  },
  {
    name: 'its capture is reported, fails, and is taken again under another reference',
    begin: automatic,
    events: () => [
      paidBy(first),
      captured(first, price, hand(1)),
      captureFailedOf(first, price, hand(1)),
      recaptured(first, price, hand(2))
    ],
    end: paid
  },
  {
    name: 'its capture fails, is taken again, and fails again',
    begin: automatic,
    events: () => [
      paidBy(first),
      captureFailedOf(first, price, hand(1)),
      recaptured(first, price, hand(2)),
      captureFailedOf(first, price, hand(2))
    ],
    end: notTaken
  },
  {
    name: 'A2: the same signed capture is reported in other words, and then fails',
    begin: automatic,
    events: () => [
      paidBy(first),
      captured(first, price, hand(1)),
      recaptured(first, price, hand(1)),
      captureFailedOf(first, price, hand(1))
    ],
    end: { ...notTaken, open: ['recapture_unconfirmed'] }
  },
  {
    name: 'A10: a part is refunded, and the capture fails',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, gbp(300), hand(1)),
      captureFailedOf(first, price, hand(2))
    ],
    end: {
      ...notTaken,
      amountRefunded: 300,
      account: -300,
      open: ['refunded_beyond_captured']
    }
  },
  {
    name: 'A10: a part is refunded, the capture fails, and it is taken again',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, gbp(300), hand(1)),
      captureFailedOf(first, price, hand(2)),
      recaptured(first, price, hand(3))
    ],
    end: { ...paid, amountRefunded: 300, account: 2200 }
  },
  {
    name: 'a part is refunded, that fails, and the capture fails',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, gbp(300), hand(1)),
      refundFailedOf(first, hand(1), gbp(300)),
      captureFailedOf(first, price, hand(2))
    ],
    end: notTaken
  },
  {
    name: 'it is cancelled before it was taken',
    begin: automatic,
    events: () => [paidBy(first), cancelled(first, hand(1))],
    end: notTaken
  },
  {
    name: 'its capture is reported, and it is cancelled before it was taken',
    begin: automatic,
    events: () => [paidBy(first), captured(first, price, hand(1)), cancelled(first, hand(2))],
    end: notTaken
  },
  {
    name: 'A5: it is reversed before it was taken: a cancel',
    begin: automatic,
    events: () => [paidBy(first), reversed(first, hand(1), price, 'cancel')],
    end: notTaken
  },
  {
    name: 'it is reversed after it was taken: a refund of all',
    begin: automatic,
    events: () => [paidBy(first), reversed(first, hand(1), price, 'refund')],
    end: { ...paid, amountRefunded: 2500, account: 0 }
  },
  {
    name: 'it is reversed, and which way is not said',
    begin: automatic,
    events: () => [paidBy(first), reversed(first, hand(1)), captured(first, price, hand(2))],
    end: { ...paid, amountRefunded: 2500, account: 0 }
  },
  {
    name: 'a part is refunded, and the rest is reversed',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, gbp(300), hand(1)),
      reversed(first, hand(2), price, 'refund')
    ],
    end: { ...paid, amountRefunded: 2500, account: 0 }
  },
  {
    name: 'two parts are refunded, and the rest is reversed',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, gbp(300), hand(1)),
      refunded(first, gbp(400), hand(2)),
      reversed(first, hand(3), price, 'refund')
    ],
    end: { ...paid, amountRefunded: 2500, account: 0 }
  },
  {
    name: 'it is reversed, and that fails',
    begin: automatic,
    events: () => [
      paidBy(first),
      reversed(first, hand(1), price, 'refund'),
      refundFailedOf(first, hand(1))
    ],
    end: paid
  },
  {
    name: 'all is refunded, that fails, and is refunded again',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, price, hand(1)),
      refundFailedOf(first, hand(1)),
      refunded(first, price, hand(2))
    ],
    end: { ...paid, amountRefunded: 2500, account: 0 }
  },
  {
    name: 'refunds of the same amount, of which one fails',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, gbp(500), hand(1)),
      refunded(first, gbp(500), hand(2)),
      refundFailedOf(first, hand(2), gbp(500))
    ],
    end: { ...paid, amountRefunded: 500, account: 2000 }
  },
  {
    name: 'fraud is reported, and a chargeback follows',
    begin: automatic,
    events: () => [paidBy(first), fraud, dispute('notified'), dispute('chargedBack')],
    end: { ...paid, amountChargedBack: 2500, account: 0, open: ['fraud_reported'] }
  },
  {
    name: 'a refund, and a chargeback of the whole',
    begin: automatic,
    events: () => [paidBy(first), refunded(first, gbp(500), hand(1)), dispute('chargedBack')],
    end: {
      ...paid,
      amountRefunded: 500,
      amountChargedBack: 2500,
      account: -500,
      open: ['refund_and_chargeback']
    }
  },
  {
    name: 'a refund that fails, and a chargeback of the whole',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, gbp(500), hand(1)),
      refundFailedOf(first, hand(1), gbp(500)),
      dispute('notified'),
      dispute('chargedBack')
    ],
    end: { ...paid, amountChargedBack: 2500, account: 0 }
  },
  {
    name: 'a refund, and a chargeback that is reversed',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, gbp(500), hand(1)),
      dispute('chargedBack'),
      dispute('reversed')
    ],
    end: { ...paid, amountRefunded: 500, account: 2000 }
  },
  {
    name: 'a chargeback is reversed, comes again, and is lost before arbitration',
    begin: automatic,
    events: () => [
      paidBy(first),
      dispute('notified'),
      dispute('chargedBack'),
      dispute('reversed'),
      dispute('chargedBackAgain')
    ],
    end: { ...paid, amountChargedBack: 2500, account: 0 }
  },
  {
    name: 'a partial chargeback is defended and won',
    begin: automatic,
    events: () => [
      paidBy(first),
      dispute('informationRequested', { amount: gbp(900) }),
      dispute('chargedBack', { amount: gbp(900) }),
      dispute('defended', { amount: gbp(900) }),
      dispute('reversed', { amount: gbp(900) }),
      dispute('issuerTimeEnded', { amount: gbp(900) })
    ],
    end: paid
  },
  {
    name: 'A18: a dispute opens with its chargeback, under the same reference',
    begin: automatic,
    events: () => [paidBy(first), dispute('openedWithChargeback'), dispute('chargedBack')],
    end: { ...paid, amountChargedBack: 2500, account: 0 }
  },
  {
    name: 'A18: a dispute opens with a chargeback that is not reported itself',
    begin: automatic,
    events: () => [paidBy(first), dispute('openedWithChargeback'), fraud],
    end: { ...paid, open: ['fraud_reported'] }
  }
]

/** Stories of reservations that are captured on request. */
const manualStories: Story[] = [
  {
    name: 'a reservation expires',
    begin: manual,
    events: () => [paidBy(first), expiryOf(first)],
    end: { status: 'expired', amountCaptured: 0, account: 0 }
  },
  {
    name: 'a reservation is cancelled by hand',
    begin: manual,
    events: () => [paidBy(first), cancelled(first, hand(1))],
    end: { status: 'cancelled', amountCaptured: 0, account: 0 }
  },
  {
    name: 'a reservation is reversed by hand',
    begin: manual,
    events: () => [paidBy(first), reversed(first, hand(1), price, 'cancel')],
    end: { status: 'cancelled', amountCaptured: 0, account: 0 }
  },
  {
    name: 'A4: a part is captured, and the rest expires',
    begin: manual,
    events: () => [paidBy(first), captured(first, gbp(1000), hand(1)), expiryOf(first)],
    end: { status: 'captured', amountCaptured: 1000, account: 1000 }
  },
  {
    name: 'a part is captured, and the rest is cancelled',
    begin: manual,
    events: () => [paidBy(first), captured(first, gbp(1000), hand(1)), cancelled(first, hand(2))],
    end: { status: 'captured', amountCaptured: 1000, account: 1000 }
  },
  {
    name: 'A1: a reservation is adjusted up and captured',
    begin: manual,
    events: () => [paidBy(first), adjusted(3500, 1), captured(first, gbp(3500), hand(2))],
    end: { status: 'captured', amountCaptured: 3500, account: 3500 }
  },
  {
    name: 'A1: a reservation is adjusted twice and captured in parts',
    begin: manual,
    events: () => [
      paidBy(first),
      adjusted(3500, 1),
      adjusted(3000, 2),
      captured(first, gbp(1000), hand(3)),
      captured(first, gbp(2000), hand(4))
    ],
    end: { status: 'captured', amountCaptured: 3000, account: 3000 }
  },
  {
    name: 'A1: a reservation is adjusted up, captured, and the capture fails',
    begin: manual,
    events: () => [
      paidBy(first),
      adjusted(3500, 1),
      captured(first, gbp(3500), hand(2)),
      captureFailedOf(first, gbp(3500), hand(2)),
      expiryOf(first)
    ],
    end: notTaken
  },
  {
    name: 'a capture of ours is refused, and goes well after all',
    begin: () => capturing(2500),
    events: (one) => [captureRefused(own(one)), captured(first, price, own(one))],
    end: paid
  },
  {
    name: 'a capture of ours fails',
    begin: () => capturing(2500),
    events: (one) => [captured(first, price, own(one)), captureFailedOf(first, price, own(one))],
    end: notTaken
  },
  {
    name: 'a capture of ours fails and is taken again under another reference',
    begin: () => capturing(2500),
    events: (one) => [
      captured(first, price, own(one)),
      captureFailedOf(first, price, own(one)),
      recaptured(first, price, hand(1))
    ],
    end: paid
  },
  {
    name: 'A2: a capture of ours is reported again in other words, and then fails',
    begin: () => capturing(2500),
    events: (one) => [
      captured(first, price, own(one)),
      recaptured(first, price, own(one)),
      captureFailedOf(first, price, own(one))
    ],
    end: { ...notTaken, open: ['recapture_unconfirmed'] }
  },
  {
    name: 'a capture of ours fails, is taken again, and fails again',
    begin: () => capturing(2500),
    events: (one) => [
      captured(first, price, own(one)),
      captureFailedOf(first, price, own(one)),
      recaptured(first, price, hand(1)),
      captureFailedOf(first, price, hand(1))
    ],
    end: notTaken
  },
  {
    name: 'two captures of ours, of which the first fails and is taken again',
    begin: () => capturing(1000, 1500),
    events: (one) => [
      captured(first, gbp(1000), own(one, 0)),
      captured(first, gbp(1500), own(one, 1)),
      captureFailedOf(first, gbp(1000), own(one, 0)),
      recaptured(first, gbp(1000), hand(1))
    ],
    end: paid
  },
  {
    name: 'captures of ours and by hand of the same amount, of which that by hand fails',
    begin: () => capturing(1000),
    events: (one) => [
      captured(first, gbp(1000), own(one)),
      captured(first, gbp(1000), hand(1)),
      captureFailedOf(first, gbp(1000), hand(1))
    ],
    end: { status: 'captured', amountCaptured: 1000, account: 1000 }
  },
  {
    name: 'captured by hand, refunded in part, and the refund fails',
    begin: manual,
    events: () => [
      paidBy(first),
      captured(first, gbp(2000), hand(1)),
      refunded(first, gbp(700), hand(2)),
      refundFailedOf(first, hand(2), gbp(700)),
      expiryOf(first)
    ],
    end: { status: 'captured', amountCaptured: 2000, account: 2000 }
  },
  {
    name: 'A3, A10: captured by hand, refunded in part, and the capture fails',
    begin: manual,
    events: () => [
      paidBy(first),
      captured(first, price, hand(1)),
      refunded(first, gbp(300), hand(2)),
      captureFailedOf(first, price, hand(1))
    ],
    end: {
      ...notTaken,
      amountRefunded: 300,
      account: -300,
      open: ['refunded_beyond_captured']
    }
  },
  {
    name: 'captured in two parts by hand, and all is refunded in one',
    begin: manual,
    events: () => [
      paidBy(first),
      captured(first, gbp(1000), hand(1)),
      captured(first, gbp(1500), hand(2)),
      refunded(first, price, hand(3))
    ],
    end: { ...paid, amountRefunded: 2500, account: 0 }
  },
  {
    name: 'captured by hand, refunded, charged back, and the chargeback is reversed',
    begin: manual,
    events: () => [
      refusedBy('REFUSED000000001'),
      paidBy(first),
      captured(first, price, hand(1)),
      refunded(first, gbp(300), hand(2)),
      dispute('notified'),
      dispute('chargedBack'),
      dispute('reversed')
    ],
    end: { ...paid, amountRefunded: 300, account: 2200 }
  },
  {
    name: 'captured by hand, and reversed by hand: a refund',
    begin: manual,
    events: () => [
      paidBy(first),
      captured(first, price, hand(1)),
      reversed(first, hand(2), price, 'refund')
    ],
    end: { ...paid, amountRefunded: 2500, account: 0 }
  },
  {
    name: 'a capture of ours, and reversed by hand, and which way is not said',
    begin: () => capturing(2500),
    events: (one) => [captured(first, price, own(one)), reversed(first, hand(1))],
    end: { ...paid, amountRefunded: 2500, account: 0 }
  },
  {
    name: 'adjusted, captured in part, fails, is taken again, is refunded and charged back',
    begin: manual,
    events: () => [
      paidBy(first),
      adjusted(3000, 1),
      captured(first, gbp(3000), hand(2)),
      captureFailedOf(first, gbp(3000), hand(2)),
      recaptured(first, gbp(3000), hand(3)),
      refunded(first, gbp(500), hand(4)),
      dispute('chargedBack', { amount: gbp(2500) })
    ],
    end: {
      status: 'captured',
      amountCaptured: 3000,
      amountRefunded: 500,
      amountChargedBack: 2500,
      account: 0
    }
  }
]

/** Stories of refunds of ours, beside what somebody does in the Customer Area. */
const refundStories: Story[] = [
  {
    name: 'a refund of ours is refused, and another goes well',
    begin: () => refunding(300, 400),
    events: (one) => [refundRefused(own(one, 0)), refunded(first, gbp(400), own(one, 1))],
    end: { ...paid, amountRefunded: 400, account: -400 }
  },
  {
    name: 'a refund of ours fails',
    begin: () => refunding(300),
    events: (one) => [
      refunded(first, gbp(300), own(one)),
      refundFailedOf(first, own(one), gbp(300))
    ],
    end: { ...paid, amountRefunded: 0, account: 0 }
  },
  {
    name: 'A12: a refund of ours, and one by hand of the same amount that comes back',
    begin: () => refunding(300),
    events: (one) => [
      refunded(first, gbp(300), own(one)),
      refunded(first, gbp(300), hand(1)),
      refundFailedOf(first, hand(1), gbp(300))
    ],
    end: { ...paid, amountRefunded: 300, account: -300 }
  },
  {
    name: 'a refund of ours, and the capture fails and is taken again',
    begin: () => refunding(300),
    events: (one) => [
      refunded(first, gbp(300), own(one)),
      captureFailedOf(first, price, hand(1)),
      recaptured(first, price, hand(2))
    ],
    end: { ...paid, amountRefunded: 300, account: -300 }
  },
  {
    name: 'a refund of ours, and a chargeback of the whole that is reversed and comes again',
    begin: () => refunding(300),
    events: (one) => [
      refunded(first, gbp(300), own(one)),
      dispute('notified'),
      dispute('chargedBack'),
      dispute('reversed'),
      dispute('chargedBackAgain')
    ],
    end: {
      ...paid,
      amountRefunded: 300,
      amountChargedBack: 2500,
      account: -2800,
      open: ['refund_and_chargeback']
    }
  }
]

export const commonStories: readonly Story[] = [
  ...automaticStories,
  ...manualStories,
  ...refundStories
]
