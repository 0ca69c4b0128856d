/** What the card page says of a payment when the browser comes back from it. */
import { sql } from 'kysely'
import t from 'tap'
import { createAskOnce, returnFromPage } from '../../src/checkout/return.commands.ts'
import type { PaymentStatus } from '../../src/payments/payment.ts'
import type { PageResult, Provider } from '../../src/provider.ts'
import { price } from '../lifecycle/aggregates.ts'
import { newReference, savedPayments } from '../lifecycle/saved-payments.ts'
import { testContext } from '../test-context.ts'

const { db, addAccount, addPayment, read, typesOf } = await savedPayments(t)

t.test('what the page says when the browser comes back', async (t) => {
  const paid = { outcome: 'paid' as const, authorisationReference: newReference(), card: null }
  const differing = { ...paid, authorisationReference: newReference() }
  const results: Array<[PageResult, PaymentStatus]> = [
    [{ ...paid, amount: price }, 'captured'],
    [{ ...differing, amount: { currency: 'GBP', value: 2499 } }, 'pending'],
    [{ ...differing, amount: { currency: 'EUR', value: 2500 } }, 'pending'],
    [{ outcome: 'cancelled' }, 'cancelled'],
    [{ outcome: 'refused' }, 'refused'],
    [{ outcome: 'open' }, 'pending']
  ]
  for (const [result, status] of results) {
    const id = await addPayment({ accountId: await addAccount() })
    const provider = { name: 'adyen', findPageResult: async () => result } as unknown as Provider
    const faults: unknown[] = []
    const context = {
      ...testContext(db, { provider }),
      askOnce: createAskOnce(),
      shown: { count: 0 }
    }
    const sessionResult = 'X3XtfGC9!H4sIAAAAAAAA/6tW'
    const given = { sessionResult }
    const onFault = (fault: unknown) => faults.push(fault)
    const { signal } = new AbortController()
    const { returnUrl } = await returnFromPage(context, id, given, onFault, signal)
    t.equal(returnUrl, `https://selfcare.example/paid?paymentId=${id}`)
    t.match(await read(id), { status }, JSON.stringify(result))
    t.same(faults, [])
    if (status === 'pending') t.same(await typesOf(id), ['payment.created'])
    const { rows } = await sql`select session_result from page_return
      where payment_id = ${id}`.execute(db)
    const isKept = result.outcome === 'paid' && status === 'pending'
    t.same(rows, isKept ? [{ session_result: sessionResult }] : [], 'asked again while not known')
  }
})
