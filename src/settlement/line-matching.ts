/**
 * Which fact of ours a line of a settlement report stands for, and what of it disagrees. Pure: it
 * reads and changes the aggregate of the line's payment. What the line says is first applied like a
 * notification, which changes nothing where it is known; then the record that it is about is found.
 */
import { findAuthorisation, isTaken, operationsOf, record } from '../lifecycle/aggregate.ts'
import { applyEvent } from '../lifecycle/apply.ts'
import type {
  Authorisation,
  Dispute,
  LifecycleContext,
  Operation,
  PaymentAggregate
} from '../lifecycle/model.ts'
import { isSame, timesFailed, timesSucceeded } from '../lifecycle/operation.ts'
import type { Money } from '../money.ts'
import type { Payment } from '../payments/payment.ts'
import type { DisputeEvent, ProviderEvent } from '../provider.ts'
import { type Meaning, meanings, type SettlementLine } from './settlement.ts'

/** A fact of ours: `amount` as it was taken, given back or taken back. */
export type OurRecord = {
  type: 'authorisation' | 'capture' | 'refund' | 'reversal' | 'dispute' | 'registration'
  id: string
  amount: Money
  /** How often it happened and may be settled: more than once where a capture was taken again. */
  times: number
  /** Whether it is money of the payment itself, and not held or sent back. */
  isOwn: boolean
}

type LineDiscrepancy = {
  kind: 'settlement_unmatched' | 'settlement_doubled' | 'settlement_amount'
  details: { ours: object | null; theirs: object }
}

/** What became of a line. `record`: what it stands for, null where nothing of ours does. */
export type Matched = { record: OurRecord | null; discrepancy: LineDiscrepancy | null }

const disputeEventOf: Partial<Record<Meaning, DisputeEvent>> = {
  chargedBack: 'chargedBack',
  chargebackReversed: 'reversed',
  chargedBackAgain: 'chargedBackAgain'
}

/** What a line says of a record, such as that a capture was settled. */
function keyOf(line: SettlementLine, { type, id }: OurRecord): string {
  return `${line.meaning} ${type} ${id}`
}

/** What is known of the payments of some lines besides their aggregates. */
export type Known = {
  /** How many lines were matched before, by `keyOf`. */
  seen: Map<string, number>
  /** What was booked for the events of disputes before, minor units: by the fact of the posting. */
  booked: ReadonlyMap<string, number>
}

/** Applies a line to the aggregate of its payment and finds its record, noted in `seen`. */
export function matchLine(
  aggregate: PaymentAggregate,
  line: SettlementLine,
  { seen, booked }: Known,
  context: LifecycleContext
): Matched {
  for (const event of toEvents(aggregate, line, booked)) applyEvent(aggregate, event, context)
  const found = findRecord(aggregate, line, booked)
  const ours = found !== undefined && found.times > 0 ? found : null
  if (line.meaning === 'authorised') return { record: ours, discrepancy: null }
  if (ours === null) return { record: null, discrepancy: unmatched(line) }
  const key = keyOf(line, ours)
  const before = seen.get(key) ?? 0
  seen.set(key, before + 1)
  const isDoubled = before >= ours.times
  if (line.meaning === 'settled' && ours.isOwn && !isDoubled) {
    addSettled(aggregate.payment, line)
    record(aggregate, 'payment.settled', {}, context)
  }
  return { record: ours, discrepancy: compare(line, ours, isDoubled) }
}

/** A line about the registration of a card, which takes nothing. */
export function matchRegistration(line: SettlementLine, id: string): Matched {
  const amount = { currency: line.gross.currency, value: 0 }
  const record: OurRecord = { type: 'registration', id, amount, times: 1, isOwn: false }
  return { record, discrepancy: compare(line, record, false) }
}

/** A line about money that no record of ours explains. */
export function unmatched(line: SettlementLine): LineDiscrepancy {
  return { kind: 'settlement_unmatched', details: { ours: null, theirs: theirsOf(line) } }
}

function compare(line: SettlementLine, ours: OurRecord, isDoubled: boolean) {
  const { type, id, amount } = ours
  const value = meanings[line.meaning].sign * amount.value
  const isEqual = line.gross.currency === amount.currency && line.gross.value === value
  if (isEqual && !isDoubled && !lacksFees(line)) return null
  const kind = isDoubled ? 'settlement_doubled' : 'settlement_amount'
  return { kind, details: { ours: { type, id, amount }, theirs: theirsOf(line) } } as const
}

/** Whether net and fees do not come to gross, and nothing in the report says why. */
const lacksFees = ({ areFeesNamed }: SettlementLine) => areFeesNamed === false

/** What the provider says, as far as a person needs it. */
function theirsOf(line: SettlementLine) {
  const { type, batch, gross, net, fees, pspReference, merchantReference } = line
  const { modificationReference, bookedAs, zone, bookedAt } = line
  const references = { pspReference, merchantReference, modificationReference }
  const all = { type, batch, gross, net, fees, ...references, bookedAs, zone, bookedAt }
  return lacksFees(line) ? { ...all, unexplained: line.otherFees } : all
}

function findRecord(
  aggregate: PaymentAggregate,
  line: SettlementLine,
  booked: Known['booked']
): OurRecord | undefined {
  switch (line.meaning) {
    case 'authorised':
      return toAuthorised(findAuthorisation(aggregate, line.pspReference))
    case 'settled':
      return findSettled(aggregate, line)
    case 'refunded':
    case 'refundReversed': {
      const operation = givenBackBy(aggregate, line)
      if (operation === undefined) return undefined
      const { kind, id, amount } = operation
      const type = kind === 'refund' ? kind : 'reversal'
      return { type, id, amount, times: Number(hasHappened(operation, line)), isOwn: false }
    }
    default:
      return findDisputed(aggregate, line, booked)
  }
}

function toAuthorised(found: Authorisation | undefined): OurRecord | undefined {
  if (found?.outcome !== 'authorised') return undefined
  const { reference: id, amount } = found
  return { type: 'authorisation', id, amount, times: 1, isOwn: found.disposition === 'kept' }
}

/** With manual capture a capture was settled, else what its authorisation took. */
function findSettled(aggregate: PaymentAggregate, line: SettlementLine): OurRecord | undefined {
  const authorised = toAuthorised(findAuthorisation(aggregate, line.pspReference))
  if (authorised === undefined) return undefined
  if (!isTaken(aggregate.payment)) {
    const capture = captureOf(aggregate, line)
    if (capture === undefined) return undefined
    const { id, amount } = capture
    return { type: 'capture', id, amount, times: stoodFor(capture), isOwn: authorised.isOwn }
  }
  const taken = capturesOf(aggregate, line).map(stoodFor)
  const isReleased =
    findAuthorisation(aggregate, line.pspReference)?.disposition === 'released' || taken.includes(0)
  const times = isReleased ? 0 : Math.max(1, sum(taken))
  return { ...authorised, times }
}

const sum = (all: readonly number[]) => all.reduce((total, one) => total + one, 0)

function capturesOf(aggregate: PaymentAggregate, { pspReference }: SettlementLine): Operation[] {
  return operationsOf(aggregate, 'capture').filter(
    (one) => one.authorisationReference === pspReference
  )
}

/** By its references; else one of that amount whose reference never reached us. */
function captureOf(aggregate: PaymentAggregate, line: SettlementLine): Operation | undefined {
  const captures = capturesOf(aggregate, line)
  return (
    captures.find((one) => isSame(one, byOf(line))) ??
    captures.find((one) => one.providerReference === null && one.amount.value === line.gross.value)
  )
}

/** How often a capture took its money; 0 while it is under way, and where it failed in the end. */
function stoodFor(capture: Operation): number {
  return capture.status === 'succeeded' ? timesSucceeded(capture) : 0
}

/** A refund, or a reversal that became one. */
function givenBackBy(aggregate: PaymentAggregate, line: SettlementLine): Operation | undefined {
  return aggregate.operations.find(
    (one) => (one.kind === 'refund' || one.kind === 'reversal') && isSame(one, byOf(line))
  )
}

/** Whether the money went back, or came again, as the line says. */
function hasHappened(operation: Operation, { meaning }: SettlementLine): boolean {
  return timesFailed(operation) > 0 || (meaning === 'refunded' && operation.status === 'succeeded')
}

function findDisputed(
  aggregate: PaymentAggregate,
  line: SettlementLine,
  booked: Known['booked']
): OurRecord | undefined {
  const event = disputeEventOf[line.meaning]
  const dispute = disputeOf(aggregate, line, booked)
  if (event === undefined || dispute === undefined) return undefined
  const amount = { ...dispute.amount, value: bookedFor(aggregate, dispute, event, booked) }
  const times = Number(dispute.reported.includes(event))
  return { type: 'dispute', id: dispute.id, amount, times, isOwn: false }
}

/** By its reference; else by its amount, since it may have been reported under another. */
function disputeOf(
  aggregate: PaymentAggregate,
  line: SettlementLine,
  booked: Known['booked']
): Dispute | undefined {
  const event = disputeEventOf[line.meaning]
  const money = findAuthorisation(aggregate, line.pspReference)
  const isOther =
    money !== undefined && money.reference !== aggregate.payment.authorisationReference
  if (event === undefined || isOther) return undefined
  const size = Math.abs(line.gross.value)
  return (
    aggregate.disputes.find(({ reference }) => reference === line.modificationReference) ??
    aggregate.disputes.find(
      (one) => one.reported.includes(event) && bookedFor(aggregate, one, event, booked) === size
    )
  )
}

/** Minor units. A part may be taken of what is questioned, and a part of that given back. */
function bookedFor(
  { postings }: PaymentAggregate,
  { id, amount }: Dispute,
  event: DisputeEvent,
  booked: Known['booked']
): number {
  const fact = `${id}.${event}`
  return booked.get(fact) ?? postings.find((one) => one.fact === fact)?.amount.value ?? amount.value
}

function byOf({ modificationReference, modificationMerchantReference }: SettlementLine) {
  return {
    providerReference: modificationReference ?? '',
    reference: modificationMerchantReference ?? ''
  }
}

/** The facts that a line reports, in the order in which they happened. */
function toEvents(
  aggregate: PaymentAggregate,
  line: SettlementLine,
  booked: Known['booked']
): ProviderEvent[] {
  const { pspReference: authorisationReference, meaning } = line
  const { sign } = meanings[meaning]
  // A line that goes the wrong way, or does not say what it is about, is shown and not booked.
  if (authorisationReference === null || (sign !== 0 && Math.sign(line.gross.value) !== sign))
    return []
  const isNamed = (line.modificationReference ?? line.modificationMerchantReference) !== null
  const amount = { ...line.gross, value: Math.abs(line.gross.value) }
  const about = { authorisationReference, amount, by: byOf(line) }
  const authorised = { type: 'authorised', authorisationReference, amount, card: null } as const
  switch (meaning) {
    case 'authorised':
      return [authorised]
    case 'settled':
      if (isTaken(aggregate.payment)) return [authorised]
      return isNamed ? toCaptured(aggregate, line, authorised) : []
    case 'refunded': {
      if (!isNamed) return []
      const isReversal = givenBackBy(aggregate, line)?.kind === 'reversal'
      return [
        isReversal ? { type: 'reversed', action: null, ...about } : { type: 'refunded', ...about }
      ]
    }
    case 'refundReversed': {
      const reason = `${line.type} in batch ${line.batch}`
      return isNamed ? [{ type: 'refundFailed', ...about, reason }] : []
    }
    default: {
      const event = disputeEventOf[meaning]
      const known = disputeOf(aggregate, line, booked)
      const dispute = known?.reference ?? line.modificationReference
      if (event === undefined || dispute === null) return []
      const unsaid = { reason: null, reasonCode: null, defendBy: null }
      return [{ type: 'disputed', event, dispute, authorisationReference, amount, ...unsaid }]
    }
  }
}

function toCaptured(
  aggregate: PaymentAggregate,
  line: SettlementLine,
  authorised: Extract<ProviderEvent, { type: 'authorised' }>
): ProviderEvent[] {
  const { authorisationReference, amount } = authorised
  const known = captureOf(aggregate, line)
  // The line adds nothing to what succeeded, and does not say that what failed was taken again.
  if (known !== undefined && (known.status === 'succeeded' || timesFailed(known) > 0)) return []
  const { providerReference, reference } = byOf(line)
  const by = { providerReference, reference: known?.id ?? reference }
  return [
    // Of a partial capture the whole that was reserved is not known.
    ...(amount.value === aggregate.payment.amount.value ? [authorised] : []),
    { type: 'captured', authorisationReference, amount, by, again: false }
  ]
}

/**
 * What came with this line is added to what came before; fees are what net lacks of gross. Of
 * several lines the latest says when, in whatever order they are read.
 */
function addSettled(payment: Payment, line: SettlementLine): void {
  const { net, batch, settledAt } = line
  const fees = line.fees + (line.otherFees ?? 0)
  const before = payment.settlement?.currency === net.currency ? payment.settlement : null
  const own = { settledAt: settledAt ?? null, batch }
  const last = before === null || placeOf(own) >= placeOf(before) ? own : before
  payment.settlement = {
    settledAt: last.settledAt,
    batch: last.batch,
    gross: (before?.gross ?? 0) + net.value + fees,
    fees: (before?.fees ?? 0) + fees,
    net: (before?.net ?? 0) + net.value,
    currency: net.currency
  }
}

/** The same batch may pay more than one line, and a batch may not say when: then by its number. */
function placeOf({ settledAt, batch }: { settledAt: string | null; batch: string }): string {
  return `${settledAt ?? ''} ${batch.padStart(20, '0')}`
}
