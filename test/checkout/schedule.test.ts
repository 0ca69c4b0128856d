import t from 'tap'
import {
  firstLookS,
  isOver,
  nextCardPaymentLookS,
  nextLinkLookS,
  nextReturnAskS
} from '../../src/checkout/schedule.ts'

const hour = 3_600

t.test('only a link is looked after before it ends, unless that is sooner', async (t) => {
  t.equal(firstLookS('paymentLink', 24 * hour), 600)
  t.equal(firstLookS('paymentLink', 600), null)
  t.equal(firstLookS('hostedPage', 24 * hour), null)
  t.equal(firstLookS('registeredCard', 24 * hour), null)
})

t.test(
  'a link is looked after every hour, and not within its grace but at the end of it',
  async (t) => {
    t.equal(nextLinkLookS(2 * hour), hour)
    t.equal(nextLinkLookS(600), 600 + 900)
    t.equal(nextLinkLookS(-300), 600)
    t.equal(nextLinkLookS(-900), hour, 'then the notification of its last attempt is awaited')
    t.same([isOver(-899), isOver(-900)], [false, true])
  }
)

t.test(
  'a page is asked about in growing pauses, and a minute before its payment ends',
  async (t) => {
    const pauses = [0, 1, 2, 3, 4, 5, 6].map((attempts) => nextReturnAskS(attempts, 24 * hour))
    t.same(pauses, [5, 15, 60, 300, 900, hour, hour])
    t.equal(nextReturnAskS(3, 90), 30)
    t.equal(nextReturnAskS(3, 60), 300, 'nothing comes after that minute but the end')
  }
)

t.test('a card payment is asked for after as long again, an hour at most', async (t) => {
  t.same([0, 1_000, 90_000, 9e9].map(nextCardPaymentLookS), [2, 2, 90, hour])
})
