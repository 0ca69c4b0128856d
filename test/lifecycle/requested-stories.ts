/** Stories of reservations that are captured on request, and of refunds of ours. */
import {
  cancelled,
  captured,
  captureFailedOf,
  captureRefused,
  expiryOf,
  first,
  gbp,
  paidBy,
  price,
  recaptured,
  refunded,
  refundFailedOf,
  refundRefused,
  refusedBy,
  reversed
} from './aggregates.ts'
import {
  adjusted,
  capturing,
  dispute,
  hand,
  manual,
  notTaken,
  own,
  paid,
  refunding,
  type Story
} from './story.ts'

export const manualStories: readonly Story[] = [
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
    name: 'captured in two parts by hand, and reversed by hand: a refund of both',
    begin: manual,
    events: () => [
      paidBy(first),
      captured(first, gbp(1000), hand(1)),
      captured(first, gbp(1500), hand(2)),
      reversed(first, hand(3), price, 'refund')
    ],
    end: { ...paid, amountRefunded: 2500, account: 0 }
  },
  {
    name: 'captured in two parts by hand, a part refunded, and reversed by hand: all that was left',
    begin: manual,
    events: () => [
      paidBy(first),
      captured(first, gbp(1000), hand(1)),
      refunded(first, gbp(300), hand(2)),
      captured(first, gbp(1500), hand(3)),
      reversed(first, hand(4), price, 'refund')
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

/** Refunds of ours, beside what somebody does in the Customer Area. */
export const refundStories: readonly Story[] = [
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
