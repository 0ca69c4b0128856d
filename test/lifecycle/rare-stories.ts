/** True stories that are rarer: other references, several captures, what lapses beside failures. */
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
  refundRefused,
  reversed
} from './aggregates.ts'
import {
  automatic,
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

const second = 'PSP0000000000002'
const part = (value: number) => ({ amount: gbp(value) })

export const rareStories: readonly Story[] = [
  {
    name: 'a capture of ours fails under another reference',
    begin: () => capturing(2500),
    events: (one) => [captured(first, price, own(one)), captureFailedOf(first, price, hand(1))],
    end: notTaken
  },
  {
    name: 'of two captures of ours of the same amount one fails under another reference',
    begin: () => capturing(1000, 1000),
    events: (one) => [
      captured(first, gbp(1000), own(one, 0)),
      captured(first, gbp(1000), own(one, 1)),
      captureFailedOf(first, gbp(1000), hand(1))
    ],
    end: { status: 'captured', amountCaptured: 1000, account: 1000 }
  },
  {
    name: 'of captures of ours and by hand of the same amount ours fails',
    begin: () => capturing(1000),
    events: (one) => [
      captured(first, gbp(1000), own(one)),
      captured(first, gbp(1000), hand(1)),
      captureFailedOf(first, gbp(1000), own(one))
    ],
    end: { status: 'captured', amountCaptured: 1000, account: 1000 }
  },
  {
    name: 'a capture fails, and others are made of its money',
    begin: () => capturing(1500),
    events: (one) => [
      captured(first, gbp(1500), own(one)),
      captureFailedOf(first, gbp(1500), own(one)),
      captured(first, gbp(1000), hand(1)),
      captured(first, gbp(1499), hand(2))
    ],
    end: { status: 'captured', amountCaptured: 2499, account: 2499 }
  },
  {
    name: 'A4: a part is captured, the rest expires, and the capture fails',
    begin: manual,
    events: () => [
      paidBy(first),
      captured(first, gbp(1000), hand(1)),
      expiryOf(first),
      captureFailedOf(first, gbp(1000), hand(1))
    ],
    end: notTaken
  },
  {
    name: 'A4: a part is captured, the rest is cancelled, and the capture fails',
    begin: manual,
    events: () => [
      paidBy(first),
      captured(first, gbp(1000), hand(1)),
      cancelled(first, hand(2)),
      captureFailedOf(first, gbp(1000), hand(1))
    ],
    end: notTaken
  },
  {
    name: 'a capture of ours is refused, and the reservation expires',
    begin: () => capturing(2500),
    events: (one) => [captureRefused(own(one)), expiryOf(first)],
    end: { status: 'expired', amountCaptured: 0, account: 0 }
  },
  {
    name: 'a refund of more than is left where one of two captures fails',
    begin: () => capturing(1000, 1500),
    events: (one) => [
      captured(first, gbp(1000), own(one, 0)),
      captured(first, gbp(1500), own(one, 1)),
      refunded(first, gbp(1500), hand(1)),
      captureFailedOf(first, gbp(1500), own(one, 1))
    ],
    end: {
      status: 'captured',
      amountCaptured: 1000,
      amountRefunded: 1500,
      account: -500,
      open: ['refunded_beyond_captured']
    }
  },
  {
    name: 'the whole is reversed, and the capture fails',
    begin: automatic,
    events: () => [
      paidBy(first),
      reversed(first, hand(1), price, 'refund'),
      captureFailedOf(first, price, hand(2))
    ],
    end: {
      ...notTaken,
      amountRefunded: 2500,
      account: -2500,
      open: ['refunded_beyond_captured']
    }
  },
  {
    name: 'money that differs is reversed by hand, and the right money comes',
    begin: automatic,
    events: () => [
      paidBy(second, part(2400)),
      reversed(second, hand(1), gbp(2400), null),
      paidBy(first)
    ],
    end: { ...paid, open: ['amount_differs'] }
  },
  {
    name: 'a refund of ours is refused, and the payment is cancelled by hand',
    begin: () => refunding(300),
    events: (one) => [refundRefused(own(one)), cancelled(first, hand(1))],
    end: { ...notTaken, account: -2500 }
  },
  {
    name: 'a refund of ours, and the rest is reversed by hand',
    begin: () => refunding(300),
    events: (one) => [
      refunded(first, gbp(300), own(one)),
      reversed(first, hand(1), price, 'refund')
    ],
    end: { ...paid, amountRefunded: 2500, account: -2500 }
  },
  {
    name: 'all is refunded, the capture fails, and it is charged back as well',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, price, hand(1)),
      captureFailedOf(first, price, hand(2)),
      dispute('chargedBack')
    ],
    end: {
      ...notTaken,
      amountRefunded: 2500,
      amountChargedBack: 2500,
      account: -5000,
      open: ['refund_and_chargeback', 'refunded_beyond_captured']
    }
  },
  {
    name: 'a part is charged back, given back, and charged back again',
    begin: automatic,
    events: () => [
      paidBy(first),
      dispute('chargedBack', part(1000)),
      dispute('reversed', part(400)),
      dispute('chargedBackAgain', part(400))
    ],
    end: { ...paid, amountChargedBack: 1000, account: 1500 }
  },
  {
    name: 'two disputes, of which the second is won',
    begin: automatic,
    events: () => [
      paidBy(first),
      dispute('notified', { dispute: 'A', ...part(1000) }),
      dispute('chargedBack', { dispute: 'A', ...part(1000) }),
      dispute('notified', { dispute: 'B', ...part(400) }),
      dispute('chargedBack', { dispute: 'B', ...part(400) }),
      dispute('reversed', { dispute: 'B', ...part(400) })
    ],
    end: { ...paid, amountChargedBack: 1000, account: 1500 }
  },
  {
    name: 'A2: a capture by hand is reported in other words, fails, and a part was refunded',
    begin: manual,
    events: () => [
      paidBy(first),
      captured(first, price, hand(1)),
      recaptured(first, price, hand(1)),
      captureFailedOf(first, price, hand(1)),
      refunded(first, gbp(300), hand(2))
    ],
    end: {
      ...notTaken,
      amountRefunded: 300,
      account: -300,
      open: ['recapture_unconfirmed', 'refunded_beyond_captured']
    }
  }
]
