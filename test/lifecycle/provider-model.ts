/**
 * What is true at a provider of the payments of one account, and what it tells of them: each fact
 * is put into `outbox`, and is told in whatever order, and however often, the test likes. It is a
 * model of the rules of money that hold at Adyen, without its words.
 */
import type { Operation } from '../../src/lifecycle/model.ts'
import type { DisputeEvent, ProviderEvent, RequestReference } from '../../src/provider.ts'
import {
  cancellationRefused,
  cancelled,
  captured,
  captureFailedOf,
  captureRefused,
  disputed,
  expiryOf,
  gbp,
  paidBy,
  price,
  recaptured,
  refunded,
  refundFailedOf,
  refundRefused,
  refusedBy,
  requestOf,
  reversalRefused,
  reversed
} from './aggregates.ts'

/**
 * `once`: told again in the same words it would be new money; the inbox, which knows the words, is
 * what drops it.
 */
export type Told = { paymentId: string; event: ProviderEvent; once: boolean }

type Capture = { by: RequestReference; value: number; ok: boolean; hasFailed: boolean }
type Refund = { by: RequestReference; value: number; ok: boolean }
type Dispute = { reference: string; value: number; taken: number; last: DisputeEvent }

/** Money that a customer gave. */
export type Authorisation = {
  reference: string
  value: number
  isManual: boolean
  /** Let go, expired, or sent back: it never was the merchant's. */
  isGone: boolean
  /** A reversal that sent it back, and which may come again. */
  isBack: boolean
  captures: Capture[]
  refunds: Refund[]
  disputes: Dispute[]
}

export type ModelPayment = {
  id: string
  method: 'hostedPage' | 'registeredCard' | 'paymentLink'
  isManual: boolean
  /** Nobody can pay any more. */
  isClosed: boolean
  authorisations: Authorisation[]
}

/** What may be told of a dispute after its last news. */
const nextNews: Partial<Record<DisputeEvent, DisputeEvent[]>> = {
  informationRequested: ['notified', 'defended'],
  notified: ['chargedBack', 'defencePeriodEnded'],
  chargedBack: ['reversed', 'defencePeriodEnded', 'preArbitrationOpened'],
  reversed: ['chargedBackAgain', 'issuerTimeEnded', 'preArbitrationOpened'],
  preArbitrationOpened: ['preArbitrationWon', 'preArbitrationLost'],
  preArbitrationLost: ['arbitrationOpened'],
  arbitrationOpened: ['arbitrationWon', 'arbitrationLost']
}

let references = 0
function newReference(prefix: string): string {
  references += 1
  return `${prefix}${String(references).padStart(16 - prefix.length, '0')}`
}

/** A request that somebody makes at the provider. */
const newHand = (): RequestReference => ({
  providerReference: newReference('HAND'),
  reference: 'by hand'
})

const sum = (all: ReadonlyArray<{ value: number; ok: boolean }>) =>
  all.reduce((total, one) => total + (one.ok ? one.value : 0), 0)

/** What was taken from the card, and not what came of it. */
export function takenOf(one: Authorisation): number {
  return one.isGone || one.isBack ? 0 : sum(one.captures)
}
export const refundedOf = (one: Authorisation) => sum(one.refunds)
export const chargedBackOf = (one: Authorisation) =>
  one.disputes.reduce((total, { taken }) => total + taken, 0)

const wasTouched = ({ refunds, disputes }: Authorisation) => refunds.length + disputes.length > 0

const hasFailed = ({ captures }: Authorisation) => captures.some((one) => one.hasFailed)

export type Model = ReturnType<typeof newModel>

/** Every choice is a natural number: `pick` of few, so that what fails can be made smaller. */
export function newModel() {
  const payments: ModelPayment[] = []
  const outbox: Told[] = []

  function tell(payment: ModelPayment, event: ProviderEvent, once = false): void {
    outbox.push({ paymentId: payment.id, event, once })
  }

  /** An attempt to pay: it is refused, is paid, or is paid with another amount. */
  function attempt(payment: ModelPayment, pick: number): void {
    const isAlone = payment.method === 'registeredCard'
    const { authorisations, isManual } = payment
    const isTakenAgain = authorisations.some((one) => hasFailed(one) && takenOf(one) > 0)
    if (payment.isClosed || isTakenAgain || authorisations.length >= (isAlone ? 1 : 3)) return
    const reference = newReference('PSP')
    if (pick % 5 === 0) tell(payment, refusedBy(reference))
    // A card has one attempt; a page refuses first, and may let the same one through after all.
    if (pick % 5 === 0 && (isAlone || pick % 10 === 0)) {
      payment.isClosed = isAlone
      return
    }
    const value = pick % 7 === 6 ? price.value - 100 : price.value
    authorisations.push({
      reference,
      value,
      isManual,
      isGone: false,
      isBack: false,
      captures: isManual ? [] : [{ by: newHand(), value, ok: true, hasFailed: false }],
      refunds: [],
      disputes: []
    })
    tell(payment, paidBy(reference, { amount: gbp(value) }))
  }

  /** Our request reaches the provider. `no`: it is refused, though it could be done. */
  function receive(payment: ModelPayment, asked: Operation, no: boolean) {
    const by = { providerReference: `MOD${asked.id}`, reference: asked.id }
    const one = payment.authorisations.find(
      ({ reference }) => reference === asked.authorisationReference
    )
    if (asked.kind === 'cancellation') return cancel(payment, one, by, no)
    if (one === undefined) throw new Error(`${asked.kind} of ${asked.authorisationReference}`)
    const { value } = asked.amount
    if (asked.kind === 'capture') capture(payment, one, value, by, no)
    else if (asked.kind === 'refund') refund(payment, one, value, by, no)
    else reverse(payment, one, by, no)
  }

  function cancel(
    payment: ModelPayment,
    one: Authorisation | undefined,
    by: RequestReference,
    no: boolean
  ) {
    // By our reference: whatever there is.
    const found = one ?? payment.authorisations[0]
    const isTaken = found?.isManual === true && takenOf(found) > 0
    const isPast = found !== undefined && (found.isGone || wasTouched(found) || hasFailed(found))
    if (no || isTaken || isPast) {
      return tell(payment, cancellationRefused(by))
    }
    if (found !== undefined) found.isGone = true
    payment.isClosed ||= payment.method === 'registeredCard'
    tell(payment, cancelled(found?.reference ?? null, by))
  }

  function capture(
    payment: ModelPayment,
    one: Authorisation,
    value: number,
    by: RequestReference,
    no: boolean
  ) {
    // Where other money came since one failed, taking both is for a person to look at.
    const isReplaced = hasFailed(one) && payment.authorisations.length > 1
    if (no || one.isGone || isReplaced || takenOf(one) + value > one.value) {
      return tell(payment, captureRefused(by))
    }
    one.captures.push({ by, value, ok: true, hasFailed: false })
    tell(payment, captured(one.reference, gbp(value), by), true)
  }

  function refund(
    payment: ModelPayment,
    one: Authorisation,
    value: number,
    by: RequestReference,
    no: boolean
  ) {
    if (no || refundedOf(one) + value > takenOf(one)) return tell(payment, refundRefused(by))
    one.refunds.push({ by, value, ok: true })
    tell(payment, refunded(one.reference, gbp(value), by))
  }

  function reverse(payment: ModelPayment, one: Authorisation, by: RequestReference, no: boolean) {
    if (no || one.isBack || one.isGone) return tell(payment, reversalRefused(one.reference, by))
    one.isBack = true
    tell(payment, reversed(one.reference, by, gbp(one.value)))
  }

  /** Somebody does something with the payment's own money, in the Customer Area. */
  function byHand(payment: ModelPayment, own: Authorisation, pick: number) {
    const by = newHand()
    const left = own.value - takenOf(own)
    const isFree = !own.isGone && !own.isBack && !wasTouched(own)
    // Its captures are told apart by their amounts, where they may fail.
    const part = 201 + own.captures.length
    if (own.isManual && !own.isGone && left > part && pick % 4 === 0) {
      return capture(payment, own, pick % 8 === 0 ? part : left, by, false)
    }
    if (own.isManual && isFree && takenOf(own) === 0 && pick % 4 < 3) {
      own.isGone = true
      return tell(payment, pick % 2 === 0 ? expiryOf(own.reference) : cancelled(own.reference, by))
    }
    if (!own.isManual && isFree && takenOf(own) > 0 && !hasFailed(own)) {
      if (pick % 4 === 1) return cancel(payment, own, by, false)
      if (pick % 4 === 2) {
        own.refunds.push({ by, value: own.value, ok: true })
        return tell(payment, reversed(own.reference, by, gbp(own.value)))
      }
    }
    // Refunds, too, are told apart by their amounts: an odd one is not ours.
    const value = 101 + (pick % 9) * 100 + 2 * own.refunds.length
    if (value <= takenOf(own) - refundedOf(own)) refund(payment, own, value, by, false)
  }

  /** A capture comes to nothing; perhaps it is taken again at once. Once each, days after it. */
  function failCapture(payment: ModelPayment, own: Authorisation, pick: number) {
    const one = own.captures.find(({ ok, hasFailed }) => ok && !hasFailed)
    const isHeld = chargedBackOf(own) > 0 || own.disputes.length > 0 || own.isGone || own.isBack
    if (one === undefined || isHeld) return
    one.ok = false
    one.hasFailed = true
    tell(payment, captureFailedOf(own.reference, gbp(one.value), one.by), true)
    // Where other money has come meanwhile, a person must look at what is taken again.
    if (pick % 2 === 0 || payment.authorisations.length > 1) return
    own.captures.push({ by: newHand(), value: one.value, ok: true, hasFailed: true })
    const again = own.captures.at(-1) as Capture
    tell(payment, recaptured(own.reference, gbp(one.value), again.by), true)
  }

  function failRefund(payment: ModelPayment, own: Authorisation) {
    const one = own.refunds.findLast(({ ok }) => ok)
    if (one === undefined) return
    one.ok = false
    tell(payment, refundFailedOf(own.reference, one.by, gbp(one.value)))
  }

  /** Money that we sent back comes again, by the request that sent it. */
  function failReversal(payment: ModelPayment, by: RequestReference, reference: string) {
    const one = payment.authorisations.find((other) => other.reference === reference)
    if (!one?.isBack) return
    one.isBack = false
    tell(payment, refundFailedOf(reference, by, gbp(one.value)))
  }

  /** Money that differs is given back by a person. */
  function giveBack(payment: ModelPayment, one: Authorisation) {
    if (one.isBack || one.isGone) return
    one.isBack = true
    tell(payment, reversed(one.reference, requestOf(one.reference), gbp(one.value)))
  }

  /** The next news of a dispute, or a new one. */
  function dispute(payment: ModelPayment, own: Authorisation, pick: number) {
    const open = own.disputes.find(({ last }) => nextNews[last] !== undefined)
    if (open === undefined || (pick % 7 === 0 && own.disputes.length < 2)) {
      if (own.disputes.length === 2 || takenOf(own) === 0) return
      const firsts = ['informationRequested', 'notified', 'chargedBack'] as const
      const last = firsts[pick % 3] ?? 'notified'
      const value = pick % 2 === 0 ? takenOf(own) : Math.ceil(takenOf(own) / 3)
      const taken = last === 'chargedBack' ? value : 0
      const added = { reference: newReference('DSP'), value, taken, last }
      own.disputes.push(added)
      return tell(payment, news(added))
    }
    const choices = nextNews[open.last] ?? []
    open.last = choices[pick % choices.length] as DisputeEvent
    if (open.last === 'chargedBack' || open.last === 'chargedBackAgain') open.taken = open.value
    if (open.last === 'reversed') open.taken = 0
    tell(payment, news(open))
  }

  const news = ({ last, reference, value }: Dispute) =>
    disputed(last, { dispute: reference, amount: gbp(value) })

  return {
    payments,
    outbox,
    tell,
    attempt,
    receive,
    byHand,
    failCapture,
    failRefund,
    failReversal,
    giveBack,
    dispute
  }
}
