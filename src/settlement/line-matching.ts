/**
 * Which fact of ours a line of a settlement report stands for, and what of it disagrees. Pure: it
 * reads and changes the aggregate of the line's payment. A line that tells of something that never
 * became known here is first applied like any other word of the provider.
 */

import {
  findAuthorisation,
  isTaken,
  openDiscrepancy,
  operationsOf,
  record
} from '../lifecycle/aggregate.ts'
import { applyEvent } from '../lifecycle/apply.ts'
import type {
  Authorisation,
  Dispute,
  LifecycleContext,
  Operation,
  PaymentAggregate
} from '../lifecycle/model.ts'
import { isSame, timesSucceeded } from '../lifecycle/operation.ts'
import type { Money } from '../money.ts'
import type { Payment, Settlement } from '../payments/payment.ts'
import type { DisputeEvent, ProviderEvent } from '../provider.ts'
import { type Meaning, meanings, type SettlementLine } from './settlement.ts'

/** A fact of ours: `amount` as it was taken, given back or taken back. */
export type OurRecord = {
  type: 'authorisation' | 'capture' | 'refund' | 'reversal' | 'dispute'
  id: string
  amount: Money
  /** The news of the line are still to be applied to it. */
  isOpen: boolean
  /**
   * How often it may be settled: a capture that failed and was taken again, more than once; 0 where
   * it came to nothing.
   */
  times: number
  /** Whether it is money of the payment itself, and not held or sent back. */
  isOwn: boolean
}

export type LineDiscrepancy = {
  kind: 'settlement_unmatched' | 'settlement_doubled' | 'settlement_amount'
  details: { ours: object | null; theirs: object }
}

/** What became of a line. `record`: what it stands for, null where nothing of ours does. */
export type Matched = { record: OurRecord | null; discrepancy: LineDiscrepancy | null }

const newsOf: Partial<Record<Meaning, DisputeEvent>> = {
  chargedBack: 'chargedBack',
  chargebackReversed: 'reversed',
  chargedBackAgain: 'chargedBackAgain'
}

/** What the news of a line are called as a fact, such as the capture that was settled. */
export function keyOf(line: SettlementLine, { type, id }: OurRecord): string {
  return `${line.meaning} ${type} ${id}`
}

/** What is known of the payments of some lines besides their books. */
export type Known = {
  /** How many lines were matched before, by `keyOf`. */
  seen: Map<string, number>
  /** What was booked for the news of disputes before, minor units: by `newsFactOf`. */
  booked: ReadonlyMap<string, number>
}

/**
 * Matches a line to the aggregate of its payment. What is found is recorded in the aggregate, and
 * in `seen`; `fact` names the line.
 */
export function matchLine(
  aggregate: PaymentAggregate,
  line: SettlementLine,
  fact: string,
  { seen, booked }: Known,
  context: LifecycleContext
): Matched {
  const found = findRecord(aggregate, line, booked)
  if (found === undefined || found.isOpen) apply(aggregate, line, context)
  const now = findRecord(aggregate, line, booked)
  const ours = now !== undefined && now.times > 0 ? now : undefined
  if (line.meaning === 'authorised') return { record: ours ?? null, discrepancy: null }
  const discrepancy = ours === undefined || ours.isOpen ? unmatched(line) : judge(line, ours, seen)
  const isOwn = line.meaning === 'settled' && ours?.isOwn === true
  if (isOwn && discrepancy?.kind !== 'settlement_doubled') {
    settle(aggregate.payment, line)
    record(aggregate, 'payment.settled', {}, context)
  }
  if (ours !== undefined) seen.set(keyOf(line, ours), (seen.get(keyOf(line, ours)) ?? 0) + 1)
  if (discrepancy !== null) {
    openDiscrepancy(aggregate, discrepancy.kind, fact, discrepancy.details, context)
  }
  return { record: ours ?? null, discrepancy }
}

/** A line about money that no record of ours explains. */
export function unmatched(line: SettlementLine): LineDiscrepancy {
  return { kind: 'settlement_unmatched', details: { ours: null, theirs: theirsOf(line) } }
}

function judge(
  line: SettlementLine,
  ours: OurRecord,
  seen: ReadonlyMap<string, number>
): LineDiscrepancy | null {
  const { sign } = meanings[line.meaning]
  const { type, id, amount } = ours
  const details = { ours: { type, id, amount }, theirs: theirsOf(line) }
  if ((seen.get(keyOf(line, ours)) ?? 0) >= ours.times) {
    return { kind: 'settlement_doubled', details }
  }
  const isSame = line.gross.currency === amount.currency && line.gross.value === sign * amount.value
  return isSame ? null : { kind: 'settlement_amount', details }
}

/** What the other side says, as far as a person needs it. */
export function theirsOf(line: SettlementLine) {
  const { type, batch, gross, net, fees, pspReference, merchantReference } = line
  const { modificationReference, bookedAs, zone, bookedAt } = line
  return {
    ...{ type, batch, gross, net, fees, pspReference, merchantReference, modificationReference },
    ...{ bookedAs, zone, bookedAt }
  }
}

function findRecord(
  aggregate: PaymentAggregate,
  line: SettlementLine,
  booked: Known['booked']
): OurRecord | undefined {
  switch (line.meaning) {
    case 'settled':
      return findSettled(aggregate, line)
    case 'refunded':
      return findGivenBack(aggregate, line, ({ status }) => {
        return status !== 'succeeded' && status !== 'failed'
      })
    case 'refundReversed':
      return findGivenBack(aggregate, line, ({ status }) => status !== 'failed')
    case 'chargedBack':
    case 'chargebackReversed':
    case 'chargedBackAgain':
      return findDisputed(aggregate, line, booked)
    case 'authorised':
      return toAuthorised(findAuthorisation(aggregate, line.pspReference))
    default:
      return undefined
  }
}

function toAuthorised(found: Authorisation | undefined): OurRecord | undefined {
  if (found?.outcome !== 'authorised') return undefined
  const { reference: id, amount } = found
  return { type: 'authorisation', id, amount, isOpen: false, times: 1, isOwn: false }
}

/** With manual capture a capture was settled, else what its authorisation took. */
function findSettled(aggregate: PaymentAggregate, line: SettlementLine): OurRecord | undefined {
  const known = findAuthorisation(aggregate, line.pspReference)
  if (known?.outcome !== 'authorised') return undefined
  const captures = operationsOf(aggregate, 'capture').filter(
    (one) => one.authorisationReference === known.reference
  )
  const isOwn = known.disposition === 'kept'
  if (isTaken(aggregate.payment)) {
    const stands = known.disposition !== 'released' && captures.every(hasStood)
    const taken = captures.reduce((sum, one) => sum + timesSucceeded(one), 0)
    const times = stands ? Math.max(1, taken) : 0
    return { ...(toAuthorised(known) as OurRecord), times, isOwn }
  }
  const capture =
    captures.find((one) => isSame(one, byOf(line))) ??
    captures.find(
      ({ providerReference, amount }) =>
        providerReference === null && amount.value === line.gross.value
    )
  if (capture === undefined) return undefined
  const { id, amount, status } = capture
  const isOpen = status === 'requested'
  const times = hasStood(capture) ? Math.max(1, timesSucceeded(capture)) : 0
  return { type: 'capture', id, amount, isOpen, times, isOwn }
}

/** Whether it did not come to nothing: it went well more often than it failed, or is under way. */
function hasStood({ status }: Operation): boolean {
  return status !== 'failed'
}

/** A refund, or a reversal that became one. */
function findGivenBack(
  aggregate: PaymentAggregate,
  line: SettlementLine,
  isOpen: (operation: Operation) => boolean
): OurRecord | undefined {
  const found = aggregate.operations.find(
    (one) => (one.kind === 'refund' || one.kind === 'reversal') && isSame(one, byOf(line))
  )
  if (found === undefined) return undefined
  const { id, amount } = found
  const type = found.kind as 'refund' | 'reversal'
  return { type, id, amount, isOpen: isOpen(found), times: 1, isOwn: false }
}

/** What the ledger calls the news of a dispute. */
const newsFactOf = (disputeId: string, news: DisputeEvent) => `${disputeId}.${news}`

/** By its reference; else by its amount, since the news may have come under another. */
function findDisputed(
  aggregate: PaymentAggregate,
  line: SettlementLine,
  booked: Known['booked']
): OurRecord | undefined {
  const news = newsOf[line.meaning] as DisputeEvent
  const money = findAuthorisation(aggregate, line.pspReference)
  if (money !== undefined && money.reference !== aggregate.payment.authorisationReference)
    return undefined
  const size = Math.abs(line.gross.value)
  const hasHeard = ({ reported: told }: Dispute) => told.includes(news)
  // A part may be taken of what is questioned, and a part of that given back.
  const bookedFor = ({ id, amount }: Dispute) => {
    const fact = newsFactOf(id, news)
    const now = aggregate.postings.find((one) => one.fact === fact)
    return booked.get(fact) ?? now?.amount.value ?? amount.value
  }
  const found =
    aggregate.disputes.find(({ reference }) => reference === line.modificationReference) ??
    aggregate.disputes.find((one) => hasHeard(one) && bookedFor(one) === size)
  if (found === undefined) return undefined
  const { id } = found
  const amount = { ...found.amount, value: bookedFor(found) }
  return { type: 'dispute', id, amount, isOpen: !hasHeard(found), times: 1, isOwn: false }
}

function byOf({ modificationReference, modificationMerchantReference }: SettlementLine) {
  return {
    providerReference: modificationReference ?? '',
    reference: modificationMerchantReference ?? ''
  }
}

/** The report is the first to tell of it: it is applied like a notification that came late. */
function apply(aggregate: PaymentAggregate, line: SettlementLine, context: LifecycleContext): void {
  for (const event of toEvents(aggregate, line)) applyEvent(aggregate, event, context)
}

/** The facts that a line tells, in the order in which they happened. */
function toEvents(aggregate: PaymentAggregate, line: SettlementLine): ProviderEvent[] {
  const { pspReference: authorisation, meaning } = line
  const { sign } = meanings[meaning]
  // A line that goes the wrong way, or that does not say what it is about, is told and not booked.
  if (authorisation === null || (sign !== 0 && Math.sign(line.gross.value) !== sign)) return []
  const isNamed = (line.modificationReference ?? line.modificationMerchantReference) !== null
  const amount = { ...line.gross, value: Math.abs(line.gross.value) }
  const by = byOf(line)
  const reason = `${line.type} in batch ${line.batch}`
  const authorised = {
    type: 'authorised',
    authorisationReference: authorisation,
    amount,
    card: null
  } as const
  switch (meaning) {
    case 'authorised':
      return [authorised]
    case 'settled':
      if (isTaken(aggregate.payment)) return [authorised]
      if (!isNamed) return []
      return [
        // Of a partial capture the whole that was reserved is not known.
        ...(amount.value === aggregate.payment.amount.value ? [authorised] : []),
        { type: 'captured', authorisationReference: authorisation, amount, by, again: false }
      ]
    case 'refunded':
      if (!isNamed) return []
      return [
        isReversal(aggregate, line)
          ? { type: 'reversed', authorisationReference: authorisation, amount, by, action: null }
          : { type: 'refunded', authorisationReference: authorisation, amount, by }
      ]
    case 'refundReversed':
      return isNamed
        ? [{ type: 'refundFailed', authorisationReference: authorisation, amount, by, reason }]
        : []
    default:
      return toDisputed(line, amount)
  }
}

function isReversal(aggregate: PaymentAggregate, line: SettlementLine): boolean {
  return operationsOf(aggregate, 'reversal').some((one) => isSame(one, byOf(line)))
}

function toDisputed(line: SettlementLine, amount: Money): ProviderEvent[] {
  const news = newsOf[line.meaning]
  const dispute = line.modificationReference
  if (news === undefined || dispute === null) return []
  const unsaid = { reason: null, reasonCode: null, defendBy: null }
  const { pspReference: authorisation } = line
  return [
    {
      type: 'disputed',
      event: news,
      dispute,
      authorisationReference: authorisation,
      amount,
      ...unsaid
    }
  ]
}

/** What came with this line is added to what came before; fees leave net, so gross is their sum. */
function settle(payment: Payment, line: SettlementLine): void {
  const { net, fees, batch, bookedAt } = line
  const before = payment.settlement?.currency === net.currency ? payment.settlement : null
  const settlement: Settlement = {
    settledAt: bookedAt,
    batch,
    gross: (before?.gross ?? 0) + net.value + fees,
    fees: (before?.fees ?? 0) + fees,
    net: (before?.net ?? 0) + net.value,
    currency: net.currency
  }
  payment.settlement = settlement
}
