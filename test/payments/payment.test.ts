import t from 'tap'
import {
  amountRefundable,
  isFinished,
  isUnpaid,
  mayMove,
  moves,
  nextProviderKey,
  type PaymentMove,
  type PaymentStatus,
  providerKey,
  statuses
} from '../../src/payments/payment.ts'
import { newPayment } from '../lifecycle/aggregates.ts'

/** What a payment of each status may become, by one move. */
const mayBecome: Record<PaymentStatus, PaymentStatus[]> = {
  pending: ['authorised', 'captured', 'refused', 'cancelled', 'expired', 'failed'],
  authorised: ['captured', 'cancelled', 'expired', 'failed'],
  captured: ['failed'],
  refused: ['authorised', 'captured'],
  cancelled: ['authorised', 'captured', 'failed'],
  expired: ['authorised', 'captured', 'failed'],
  failed: ['authorised', 'captured']
}

const allMoves = Object.keys(moves) as PaymentMove[]

for (const status of statuses) {
  t.test(`a payment that is ${status} may become ${mayBecome[status].join(', ')}`, async (t) => {
    const to = allMoves.filter((move) => mayMove(status, move)).map((move) => moves[move].to)
    t.same(to.sort(), mayBecome[status].sort())
  })
}

t.test('a move leaves the status of its name, and no move is missing', async (t) => {
  const { captureFailed, ...named } = moves
  t.same(
    Object.values(named).map(({ to }) => to),
    Object.keys(named)
  )
  t.same([...Object.keys(named), 'pending'].sort(), [...statuses].sort())
  t.equal(captureFailed.to, 'failed', 'what was taken is given back')
  const { from } = captureFailed
  t.notOk(
    from.some((status) => ['pending', 'refused'].includes(status)),
    'nothing was to be taken'
  )
})

t.test('pending is where a payment starts: nothing leads back to it', async (t) => {
  t.notOk(allMoves.some((move) => (moves[move].to as string) === 'pending'))
})

t.test('all but pending and authorised are finished', async (t) => {
  t.same(statuses.filter(isFinished), ['captured', 'refused', 'cancelled', 'expired', 'failed'])
})

t.test('finished without money are all but captured', async (t) => {
  t.same(statuses.filter(isUnpaid), ['refused', 'cancelled', 'expired', 'failed'])
})

t.test('what was captured, less what went back, can be refunded; never less than 0', async (t) => {
  const refundable = (amountCaptured: number, ...less: number[]) => {
    const [amountRefunded = 0, amountChargedBack = 0, amountRefunding = 0] = less
    return amountRefundable(
      newPayment({ amountCaptured, amountRefunded, amountChargedBack, amountRefunding })
    )
  }
  t.equal(refundable(0), 0)
  t.equal(refundable(2500), 2500)
  t.equal(refundable(2500, 1000), 1500)
  t.equal(refundable(2500, 1000, 1500), 0)
  t.equal(refundable(2500, 1000, 2500), 0)
  t.equal(refundable(2500, 1000, 500, 700), 300)
  t.equal(refundable(2500, 0, 0, 2500), 0)
})

t.test(
  'the key of a call fits into the 64 characters of Adyen, and the next differs',
  async (t) => {
    const key = providerKey('pay_0123456789abcdef', 'session')
    t.equal(key, 'pay_0123456789abcdef.session.1')
    t.equal(providerKey('rev_0123456789abcdef', 'reversal'), 'rev_0123456789abcdef.reversal.1')
    t.equal(nextProviderKey(key), 'pay_0123456789abcdef.session.2')
    t.equal(nextProviderKey('pay_0123456789abcdef.session.99'), 'pay_0123456789abcdef.session.100')
    t.ok(nextProviderKey(`${key}${'9'.repeat(12)}`).length <= 64)
  }
)
