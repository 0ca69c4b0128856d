/**
 * What is true at Adyen, by the simulator's own books, and how a payment of ours must look then.
 */
import type { Body, World } from './world.ts'
import { control } from './world.ts'

type Money = { value: number; currency: string }
type Authorised = {
  id: string
  reference: string
  amount: Money
  captured: number
  refunded: number
  cancelled: boolean
  expired: boolean
  disputed: Array<{ eventCode: string; pspReference: string; amount: Money }>
}
type Page = { id: string; status: string; request: { reference: string } }

/** By the id of the payment that they are about. */
export type Truth = {
  authorised: Map<string, Authorised[]>
  pages: Map<string, Page[]>
  serverErrors: ReadonlyMap<string, number>
  /** Payments of which a person is shown that money could not be sent back. */
  held: ReadonlySet<string>
}

export async function readTruth(
  world: Pick<World, 'group'>,
  held: ReadonlySet<string>
): Promise<Truth> {
  const [authorised, sessions, links] = await Promise.all([
    control(world, 'GET', 'payments') as Promise<Authorised[]>,
    control(world, 'GET', 'sessions') as Promise<Page[]>,
    control(world, 'GET', 'links') as Promise<Page[]>
  ])
  return {
    authorised: Map.groupBy(authorised, ({ reference }) => reference),
    pages: Map.groupBy([...sessions, ...links], ({ request }) => request.reference),
    serverErrors: world.group.wire.serverErrors,
    held
  }
}

/** What the banks have taken and not given back. */
function chargedBackOf({ disputed }: Authorised): number {
  const last = new Map<string, number>()
  for (const { eventCode, pspReference, amount } of disputed) {
    if (eventCode === 'CHARGEBACK') last.set(pspReference, amount.value)
    if (eventCode === 'CHARGEBACK_REVERSED') last.set(pspReference, 0)
  }
  return [...last.values()].reduce((total, value) => total + value, 0)
}

const withoutMoney = ['pending', 'expired', 'cancelled', 'failed', 'refused']

/** What is not as Adyen has it; `payment` as the API shows it. */
export function differencesOf(payment: Body, truth: Truth): string[] {
  const { authorised, pages, serverErrors, held } = truth
  const { id, status, method, amountCaptured, amountRefunded, amountChargedBack } = payment
  if (method === 'recorded') return []
  const own = authorised.get(id) ?? []
  const open = pages.get(id) ?? []
  const sum = (of: (one: Authorised) => number) => own.reduce((total, one) => total + of(one), 0)
  const net = sum(({ captured, refunded }) => captured - refunded)
  // Money that was paid after its end was never the payment's, and can only have gone back. What
  // Adyen gave back of it by hand before its capture failed, and what banks took of it, is not the
  // payment's either.
  const isItsOwn = payment.provider?.reference !== null
  const kept = held.has(id) || (!isItsOwn && net < 0) ? 0 : net
  const isReserved = own.some(
    ({ captured, cancelled, expired }) => captured === 0 && !cancelled && !expired
  )
  const found: string[] = []
  const hold = (holds: boolean, what: string) => {
    if (!holds) found.push(`${id}: ${what}: ${JSON.stringify(payment)} ${JSON.stringify(own)}`)
  }
  // After a 5xx the next key is another: who opened a page before it was told of none.
  hold(open.length <= 1 + (serverErrors.get(id) ?? 0), `${open.length} pages`)
  hold(own.length <= 1, `${own.length} authorisations`)
  hold(amountCaptured - amountRefunded === kept, `Adyen keeps ${kept}`)
  const chargedBack = isItsOwn ? sum(chargedBackOf) : 0
  hold(amountChargedBack === chargedBack, `charged back are ${chargedBack}`)
  if (own.length === 0) hold(withoutMoney.includes(status), 'nobody has paid')
  else hold(status !== 'pending', 'it was paid')
  if (sum(({ captured }) => captured) > 0 && kept > 0) hold(status === 'captured', 'it is captured')
  if (isReserved && payment.capture === 'manual') {
    hold(['authorised', 'failed'].includes(status), 'it is reserved')
  }
  const isUnanswered = status === 'pending' && payment.checkout === null
  hold(!isUnanswered || method === 'registeredCard', 'its create is not finished')
  if (status === 'pending' && open.length > 0) {
    const isOpen = open.some((page) => payment.checkout?.url.endsWith(`/${page.id}`))
    hold(isOpen, `its page is none of ${open.map((page) => page.id)}`)
  }
  return found
}
