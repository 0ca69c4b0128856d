/**
 * What a settlement report of the provider says, in our words. Pure: how the provider spells it
 * stands in its own folder.
 */
import type { Money } from '../money.ts'

export const reportKinds = ['settlementDetails', 'paymentAccounting'] as const
export type ReportKind = (typeof reportKinds)[number]

export const reportStatuses = [
  'awaitingUpload',
  'received',
  'processing',
  'done',
  'refused'
] as const
export type ReportStatus = (typeof reportStatuses)[number]

/**
 * What a line stands for. `sign`: which way its money goes: 1 to us, -1 from us; 0 where it is
 * about a batch and not a payment, or of a type that is not known here. `rank`: its place in the
 * course of a payment, since what gives money back rests on what took it.
 */
export const meanings = {
  settled: { sign: 1, rank: 0 },
  refunded: { sign: -1, rank: 1 },
  refundReversed: { sign: 1, rank: 2 },
  chargedBack: { sign: -1, rank: 1 },
  chargebackReversed: { sign: 1, rank: 2 },
  chargedBackAgain: { sign: -1, rank: 3 },
  /** Fees, invoices and corrections of a batch. */
  costs: { sign: 0, rank: 0 },
  /** What was paid out to the bank, or came back from there. */
  payout: { sign: 0, rank: 0 },
  /** What was carried from or to another batch. */
  carried: { sign: 0, rank: 0 },
  unknown: { sign: 0, rank: 0 },
  /** Of the payment accounting report: an attempt was approved; and all that moves no money. */
  authorised: { sign: 0, rank: 0 },
  status: { sign: 0, rank: 0 }
} as const satisfies Record<string, { sign: -1 | 0 | 1; rank: number }>
export type Meaning = keyof typeof meanings

/** One line of a report. Amounts are signed: what comes to us is positive. */
export type SettlementLine = {
  /** Its place in the file: the first line after the header is 1. */
  line: number
  merchantAccount: string
  batch: string
  /** As the provider calls it. */
  type: string
  meaning: Meaning
  pspReference: string | null
  merchantReference: string | null
  modificationReference: string | null
  modificationMerchantReference: string | null
  /**
   * When what it is about was made: date and time zone as the report has them, and RFC 3339, UTC,
   * `bookedAt` where they are sure, else `bookedFrom`, the earliest that they can mean.
   */
  bookedAs: string
  zone: string
  bookedAt: string | null
  bookedFrom: string | null
  /** A time zone that is not known here, as the report names it. */
  unknownZone: string | null
  /**
   * When it was settled (RFC 3339, UTC): booked to its batch or, of a payout, paid. Null where the
   * report does not say, or leaves a doubt: then it was when its batch was paid out.
   */
  settledAt: string | null
  gross: Money
  net: Money
  /** Commission, or markup, scheme fees and interchange: minor units of the net currency. */
  fees: number
  /** What net lacks of gross besides; 0 where one was converted to the other. */
  otherFees: number
  /** Whether the report says in another column what that is. */
  areFeesNamed: boolean
}

/** The report is not one that can be read, or not whole: nothing of it is kept. */
export class ReportFault extends Error {}

/** What a reader makes of a file: its kind, then its lines in pieces, each of some hundreds. */
export type ReportPiece = { kind: ReportKind; lines: SettlementLine[] }
export type ReadReport = (content: AsyncIterable<Uint8Array>) => AsyncIterable<ReportPiece>

/** What makes a line the same as another, in whatever file it stands. */
export function factOf(line: SettlementLine): string {
  const { merchantAccount, batch, type, gross, net, fees } = line
  const { pspReference, modificationReference, modificationMerchantReference } = line
  return JSON.stringify([
    ...[merchantAccount, batch, type, pspReference, modificationReference],
    ...[modificationMerchantReference, gross.currency, gross.value],
    ...[net.currency, net.value, fees]
  ])
}

/** The batch that a line is in, over all merchant accounts. */
export function batchOf({ merchantAccount, batch }: SettlementLine): string {
  return JSON.stringify([merchantAccount, batch])
}

/** What `batchOf` was made of. */
export function readBatch(text: string): Pick<SettlementLine, 'merchantAccount' | 'batch'> {
  const [merchantAccount, batch] = JSON.parse(text) as [string, string]
  return { merchantAccount, batch }
}

/** Whether the line may be about a payment of this merchant account; the others concern nobody. */
export function isAbout(merchantAccount: string, line: SettlementLine): boolean {
  return (
    line.merchantAccount === merchantAccount && (isMoney(line) || line.meaning === 'authorised')
  )
}

/** What somebody must explain: money of a payment, or of a type that nobody here knows. */
export function isMoney({ meaning, gross, net }: SettlementLine): boolean {
  if (meaning === 'unknown') return gross.value !== 0 || net.value !== 0
  return meanings[meaning].sign !== 0
}

/** References, types and the like have some tens of characters; an index takes no long ones. */
const textLengthMax = 255

/** A `ReportFault` where a line holds what can't be stored. */
export function checkLine(line: SettlementLine): void {
  const fault = faultOf(line)
  if (fault === undefined) return
  throw new ReportFault(
    `Line ${line.line} ${fault}: the file was damaged. Download it again and upload it.`
  )
}

/** A NUL character, a text that is too long, or the year 0. */
function faultOf(line: SettlementLine): string | undefined {
  const texts = Object.values(line).filter((text) => typeof text === 'string')
  if (texts.some((text) => text.includes('\0'))) return 'holds a NUL character, which no text has'
  const long = texts.find(({ length }) => length > textLengthMax)
  if (long !== undefined) {
    return `holds a text of ${long.length} characters, and at most ${textLengthMax} are possible`
  }
  const isYear0 = [line.bookedFrom, line.settledAt].some((time) => /^(0000|-)/.test(time ?? ''))
  return isYear0 ? `has the date ${line.bookedAs}` : undefined
}

type Sum = { net: bigint; carried: boolean; merchantAccount: string; batch: string; code: string }

/**
 * The batches of a settlement details report: with what was paid out each adds up to 0, so that one
 * that was cut off is found. One that carries a balance to another need not.
 */
export function createBatchCheck() {
  const sums = new Map<string, Sum>()
  const findOpen = (isCarried: boolean) =>
    [...sums.values()].filter(({ net, carried }) => net !== 0n && carried === isCarried)
  return {
    add({ merchantAccount, batch, net, meaning }: SettlementLine): void {
      const key = JSON.stringify([merchantAccount, batch, net.currency])
      const none = { net: 0n, carried: false, merchantAccount, batch, code: net.currency }
      const sum = sums.get(key) ?? none
      sum.net += BigInt(net.value)
      sum.carried ||= meaning === 'carried'
      sums.set(key, sum)
    },
    /** Why the report is not whole; undefined where it is. */
    findFault(): string | undefined {
      if (sums.size === 0) return 'The report has no lines.'
      const [open] = findOpen(false)
      if (open === undefined) return undefined
      const { batch, merchantAccount, code, net } = open
      return (
        `Batch ${batch} of ${merchantAccount} does not add up to 0 with its payout: ${net} minor ` +
        `units of ${code} are left. The file is cut off, or lacks its payout line.`
      )
    },
    /** Batches whose sum can't show whether they are whole, since a balance was carried. */
    findUnchecked(): string[] {
      return [...new Set(findOpen(true).map(({ batch }) => batch))].sort()
    }
  }
}
