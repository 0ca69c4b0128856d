/**
 * Facts of any kind, even those that no provider can truly report together: the invariants of the
 * money hold all the same, and what is applied leaves the same however it is split into batches.
 */
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import type { EventOfPayment } from '../../src/lifecycle/apply.commands.ts'
import type { ProviderEvent } from '../../src/provider.ts'
import { findMoneyFaults } from '../invariants.ts'
import {
  cancelled,
  captured,
  captureFailedOf,
  closedBy,
  disputed,
  expiryOf,
  fraudReported,
  gbp,
  paidBy,
  price,
  recaptured,
  refunded,
  refundFailedOf,
  refusedBy,
  reversalRefused,
  reversed,
  visa
} from './aggregates.ts'
import { newReference, savedPayments } from './saved-payments.ts'

const saved = await savedPayments(t)
const { db, addAccount, addPayment, addCharge, apply, typesOf, postingsOf } = saved
const { aggregateOf, fingerprint } = saved

/** The seed is the same in every run, so that a red run is red again. */
const seed = Number(process.env.SEED ?? 418895)

/** Places stand for references that each run makes anew. */
type Made = { type: keyof typeof makers; reference: number; variant: number }

/**
 * One fact is always reported alike: the amount belongs to the reference of the money, and to that
 * of the request.
 */
type Given = { authorisation: string; amount: ReturnType<typeof gbp>; variant: number }
const makers = {
  authorised: ({ authorisation, amount, variant }: Given) =>
    paidBy(authorisation, { amount, card: variant % 2 === 0 ? visa : null }),
  attemptRefused: ({ authorisation }: Given) => refusedBy(authorisation),
  captured: (given: Given) => captured(given.authorisation, partOf(given), byOf('CAP', given)),
  recaptured: (given: Given) => recaptured(given.authorisation, partOf(given), byOf('CAP', given)),
  captureFailed: (given: Given) =>
    captureFailedOf(given.authorisation, partOf(given), byOf('CAP', given)),
  refunded: (given: Given) => refunded(given.authorisation, partOf(given), byOf('REF', given)),
  refundFailed: (given: Given) =>
    refundFailedOf(given.authorisation, byOf('REF', given), partOf(given)),
  reversed: (given: Given) => reversed(given.authorisation, byOf('REV', given), given.amount),
  reversalRefused: (given: Given) => reversalRefused(given.authorisation, byOf('REV', given)),
  cancelled: (given: Given) => cancelled(given.authorisation, byOf('CAN', given)),
  authorisationExpired: ({ authorisation }: Given) => expiryOf(authorisation),
  fraudReported: ({ authorisation }: Given) => fraudReported(authorisation),
  disputed: ({ authorisation: authorisationReference, amount, variant }: Given) =>
    disputed(
      (['notified', 'chargedBack', 'reversed', 'chargedBackAgain', 'issuerTimeEnded'] as const)[
        variant % 5
      ] ?? 'notified',
      { dispute: `DSP${authorisationReference}`, authorisationReference, amount }
    ),
  pageClosed: ({ variant }: Given) =>
    closedBy((['customer', 'refusals', 'time'] as const)[variant % 3] ?? 'time')
} satisfies Record<string, (given: Given) => ProviderEvent>

/** Of the request: the whole under its first reference, parts of it under others. */
function partOf({ amount, variant }: Given) {
  return gbp([amount.value, 1000, 700][variant % 3] ?? 1)
}

function byOf(kind: string, { authorisation, variant }: Given) {
  return { providerReference: `${kind}${variant % 3}${authorisation}`, reference: 'by hand' }
}

const often: Partial<Record<Made['type'], number>> = {
  authorised: 6,
  captured: 5,
  recaptured: 4,
  captureFailed: 4,
  refunded: 5,
  refundFailed: 4,
  disputed: 6
}
const made: fc.Arbitrary<Made> = fc.record({
  type: fc.oneof(
    ...(Object.keys(makers) as Array<Made['type']>).map((type) => ({
      weight: often[type] ?? 2,
      arbitrary: fc.constant(type)
    }))
  ),
  // Most of what is reported is of the first money.
  reference: fc.constantFrom(0, 0, 0, 1, 2),
  variant: fc.nat({ max: 29 })
})

function makeEvent({ type, reference, variant }: Made, references: string[]): ProviderEvent {
  const authorisation = references[reference] as string
  return makers[type]({ authorisation, amount: reference === 2 ? gbp(2400) : price, variant })
}

/** Automatic and manual, one of each cancelled by its client. */
const starts = [
  {},
  { cancelledBy: 'client' },
  { capture: 'manual' },
  { capture: 'manual', cancelledBy: 'client' }
] as const

/** Two payments of an account. More can follow where they begin with a success. */
const [plain, withdrawn, manual, manualWithdrawn] = starts
const world = fc.constantFrom(
  { isPaid: true, starts: [plain, manual] },
  { isPaid: true, starts: [plain, manual] },
  { isPaid: false, starts: [plain, manual] },
  { isPaid: true, starts: [withdrawn, manualWithdrawn] },
  { isPaid: false, starts: [withdrawn, manualWithdrawn] }
)

type Step =
  | { do: 'apply'; events: Array<{ payment: number; made: Made }> }
  | { do: 'charge'; value: number; due: number; inQuery: boolean }
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('apply' as const),
      events: fc.array(fc.record({ payment: fc.nat({ max: 1 }), made }), {
        minLength: 1,
        maxLength: 12
      })
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('charge' as const),
      value: fc.constantFrom(2500, 1000, 400, 6000),
      due: fc.integer({ min: 1, max: 5 }),
      inQuery: fc.boolean()
    })
  }
)

const newReferences = () => [newReference(), newReference(), newReference()]

async function mustHold(accountId: number, when: string): Promise<void> {
  const faults = await findMoneyFaults(db, [accountId])
  if (faults.length > 0) throw new Error(`${when}: ${JSON.stringify(faults)}`)
}

/** A charge in query is skipped from then on; what was matched to it already stays. */
async function charge(accountId: number, step: Extract<Step, { do: 'charge' }>): Promise<void> {
  const id = await addCharge(accountId, step.value, new Date(Date.UTC(2026, 0, step.due)))
  if (step.inQuery) await sql`update charge set in_query = true where id = ${id}`.execute(db)
}

/** Applies what was not applied yet once more, as the inbox does, until that changes nothing. */
async function settle(events: EventOfPayment[]): Promise<void> {
  let due = events
  while (due.length > 0) {
    const effects = await apply(due)
    const left = due.filter((_, place) => effects[place] !== 'applied')
    if (left.length === due.length) return
    due = left
  }
}

t.test('whatever is reported, in any order: the money is right at every step', async (t) => {
  const seen = new Set<string>()
  const steps = fc.array(step, { minLength: 2, maxLength: 8, size: 'max' })
  const property = fc.asyncProperty(world, steps, async ({ isPaid, starts }, steps) => {
    const accountId = await addAccount()
    const payments = await Promise.all(
      starts.map(async (start) => ({
        id: await addPayment({ ...start, accountId }),
        references: newReferences()
      }))
    )
    if (isPaid) {
      for (const { id: paymentId, references } of payments) {
        await apply([{ paymentId, event: paidBy(references[0] as string) }])
      }
    }
    for (const step of steps) {
      if (step.do === 'charge') {
        await charge(accountId, step)
        await mustHold(accountId, 'after a charge')
        continue
      }
      const events = step.events.map(({ payment, made }) => {
        const { id, references } = payments[payment] as (typeof payments)[number]
        return { paymentId: id, event: makeEvent(made, references) }
      })
      await settle(events)
      await mustHold(accountId, 'after a batch')
      const before = await fingerprint([accountId])
      await apply(events)
      if ((await fingerprint([accountId])) !== before) throw new Error('a second time changed it')
    }
    for (const { id } of payments) for (const type of await typesOf(id)) seen.add(type)
  })
  await fc.assert(property, { numRuns: 100, seed })
  for (const type of [
    ...['payment.authorised', 'payment.captured', 'payment.refused', 'payment.cancelled'],
    ...['payment.expired', 'payment.failed', 'payment.attemptRefused', 'payment.fraudReported'],
    ...['capture.succeeded', 'capture.failed', 'refund.succeeded', 'refund.failed'],
    ...['reversal.requested', 'reversal.succeeded', 'reversal.failed'],
    ...['dispute.opened', 'dispute.updated', 'dispute.closed'],
    ...['discrepancy.opened', 'discrepancy.resolved']
  ]) {
    t.ok(seen.has(type), `${type} was among them`)
  }
})

/** All that is written of a payment but times; what is made anew in each run has a number. */
async function endOf(paymentId: string): Promise<string> {
  const { payment, authorisations, operations, disputes, discrepancies } =
    (await aggregateOf(paymentId)) ?? raise(paymentId)
  const { accountId: _, ...rest } = payment
  // What was written at one moment is read back by id, which begins with the kind.
  const byKind = Object.groupBy(operations, ({ kind }) => kind)
  const { capture, cancellation, refund, reversal } = byKind
  const written = [
    [rest, disputes, await typesOf(paymentId), await postingsOf(paymentId)],
    [capture, cancellation, refund, reversal],
    authorisations.toSorted((one, other) => (one.reference < other.reference ? -1 : 1)),
    discrepancies.toSorted((one, other) => (one.id < other.id ? -1 : 1))
  ]
  const ids = new Map<string, string>()
  return JSON.stringify(written)
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'time')
    .replaceAll('BPSP', 'PSP')
    .replaceAll(/\b([a-z]{3})_[0-9a-z]{16}\b/g, (id, prefix) => {
      ids.set(id, ids.get(id) ?? `${prefix} ${ids.size}`)
      return ids.get(id) as string
    })
}

function raise(paymentId: string): never {
  throw new Error(`there is no ${paymentId}`)
}

t.test('batches of any size leave the same as one fact at a time', async (t) => {
  const facts = fc.array(made, { minLength: 2, maxLength: 15 })
  const sizes = fc.array(fc.integer({ min: 1, max: 5 }))
  const start = fc.constantFrom(...starts)
  const property = fc.asyncProperty(start, facts, sizes, async (start, facts, sizes) => {
    const references = newReferences()
    const ends: string[] = []
    for (const isBatched of [false, true]) {
      const accountId = await addAccount()
      const paymentId = await addPayment({ ...start, accountId })
      const own = references.map((reference) => (isBatched ? `B${reference}` : reference))
      const events = facts.map((made) => ({ paymentId, event: makeEvent(made, own) }))
      for (let place = 0, turn = 0; place < events.length; turn += 1) {
        const size = isBatched ? (sizes[turn] ?? events.length) : 1
        await apply(events.slice(place, place + size))
        place += size
      }
      ends.push(await endOf(paymentId))
    }
    const [one, other] = ends
    if (one !== other) throw new Error(`${one}, or else ${other}`)
  })
  await fc.assert(property, { numRuns: 100, seed })
  t.pass('100 times')
})
