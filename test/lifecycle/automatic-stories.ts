/** Stories of payments that are captured automatically. */
import {
  cancelled,
  captured,
  captureFailedOf,
  first,
  gbp,
  paidBy,
  price,
  recaptured,
  refunded,
  refundFailedOf,
  refusedBy,
  reversed
} from './aggregates.ts'
import { automatic, dispute, fraud, hand, notTaken, paid, type Story } from './story.ts'

export const automaticStories: readonly Story[] = [
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
    name: 'a part is refunded, that fails, and the whole is reversed: how much is not known',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, gbp(1000), hand(1)),
      refundFailedOf(first, hand(1), gbp(1000)),
      reversed(first, hand(2), price, 'refund')
    ],
    end: {
      ...paid,
      amountRefunded: 1500,
      account: 1000,
      open: ['reversal_amount_unknown']
    }
  },
  {
    name: 'a part is refunded, that fails, another is refunded, and the whole is reversed',
    begin: automatic,
    events: () => [
      paidBy(first),
      refunded(first, gbp(1000), hand(1)),
      refundFailedOf(first, hand(1), gbp(1000)),
      refunded(first, gbp(500), hand(3)),
      reversed(first, hand(2), price, 'refund')
    ],
    end: {
      ...paid,
      amountRefunded: 1500,
      account: 1000,
      open: ['reversal_amount_unknown']
    }
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
