import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Brand } from './cards.ts'
import type { LinkRequest } from './link-request.ts'
import type { Amount } from './money.ts'
import type { Posted } from './poster.ts'
import type { SessionRequest } from './session-request.ts'

/** https://docs.adyen.com/api-explorer/Checkout/72/get/sessions/_sessionId_ */
export type SessionStatus =
  | 'active'
  | 'canceled'
  | 'completed'
  | 'expired'
  | 'paymentPending'
  | 'refused'

export type Wallet = 'applepay' | 'googlepay'

/** What is known of a card after it was used: never its number. */
export type Card = {
  brand: Brand
  lastFour: string
  /** Two digits and four digits: `03` and `2030`. */
  expiryMonth: string
  expiryYear: string
  holderName: string
  /** The issuer asks for 3-D Secure. */
  challenge: boolean
  /** The wallet that it is in. */
  wallet?: Wallet
}

export type Attempt = {
  pspReference: string
  at: string
  resultCode: 'Authorised' | 'Cancelled' | 'Error' | 'Received' | 'Refused'
  /** Adyen's refusal text; empty for a payment that was not refused. */
  reason: string
  refusalReasonCode: string | null
  refusalReasonRaw: string | null
  authCode: string
  card: Card
  /** The token, if this attempt registered the card or paid with a registered one. */
  storedCardId: string | null
  tokenOperation: 'created' | 'alreadyExisting' | null
}

/** The answer of GET /sessions/{id}: a snapshot, which belongs to one sessionResult. */
export type SessionResult = {
  sessionResult: string
  status: SessionStatus
  payments: {
    pspReference: string
    resultCode: string
    amount: Amount
    paymentMethod?: { type: string; brand: string }
  }[]
}

export type Session = {
  id: string
  createdAt: string
  expiresAt: string
  request: SessionRequest
  status: SessionStatus
  attempts: Attempt[]
  result: SessionResult | null
}

/** https://docs.adyen.com/api-explorer/Checkout/72/get/paymentLinks/_linkId_ */
export type LinkStatus = 'active' | 'completed' | 'expired' | 'paymentPending'

export type Link = {
  id: string
  createdAt: string
  updatedAt: string
  expiresAt: string
  request: LinkRequest
  status: LinkStatus
  attempts: Attempt[]
}

/** What a page lets a shopper pay. */
export type Checkout = Session | Link

/** What an attempt is to pay, however it was asked for. */
export type Purchase = {
  merchantAccount: string
  reference: string
  amount: Amount
  isCapturedManually: boolean
  captureDelayHours: number
  metadata: Record<string, string>
  shopperReference: string | null
  recurringProcessingModel: string | null
  sessionId: string | null
  linkId: string | null
}

/** A question of the card's issuer to the shopper, before the card is authorised. */
export type Challenge = {
  id: string
  createdAt: string
  card: Card
  storedCardId: string | null
  purchase: Purchase
  /** `authorised`: the answer was used, as a payment or a refusal. */
  state: 'open' | 'passed' | 'failed' | 'authorised'
  /** The page that asked, and whether the shopper wants the card kept; null for POST /payments. */
  page: { checkoutId: string; consents: boolean } | null
  /** Where the shopper of POST /payments goes with the redirectResult. */
  returnUrl: string
  redirectResult: string
}

/** An authorised payment, under its pspReference; its balance is in modification-books.ts. */
export type Payment = {
  id: string
  createdAt: string
  reference: string
  amount: Amount
  brand: Brand
  wallet?: Wallet
  /** When it is captured without being asked to; null with manual capture, or when called off. */
  capturedAt: string | null
  /** The pspReference of the automatic capture. */
  captureReference: string
  /** When the scheme rejects the automatic capture. */
  captureFailedAt: string | null
  captureFails: boolean
  refundFails: boolean
  expiredAt: string | null
  disputePspReference: string | null
  /** What the bank has taken and given back, oldest first. */
  disputed: { eventCode: string; pspReference: string; amount: Amount; at: string }[]
  /** Their pspReferences, oldest first. */
  modifications: string[]
}

export type ModificationKind =
  | 'amountUpdate'
  | 'cancel'
  | 'capture'
  | 'refund'
  | 'reversal'
  | 'technicalCancel'

/** A request to change a payment, under a pspReference of its own, and what came of it. */
export type Modification = {
  id: string
  createdAt: string
  kind: ModificationKind
  /** Null for a technical cancel that found no payment. */
  paymentPspReference: string | null
  /** The reference that came with the request. */
  reference: string | null
  amount: Amount
  success: boolean
  /** Why it did not succeed; empty if it did. */
  reason: string
  /** What a reversal turned out to be. */
  action: 'cancel' | 'refund' | null
  /** From then on it has failed after all, or the refund came back. */
  failedAt: string | null
}

export type StoredCard = { id: string; createdAt: string; shopperReference: string; card: Card }

/** What was answered under an Idempotency-Key (the id). */
export type StoredAnswer = { id: string; createdAt: string; status: number; body: unknown }

export type WebhookStatus =
  /** The first try, or one of the three quick retries, is due. */
  | 'waiting'
  /** In the retry queue of the endpoint. */
  | 'queued'
  /** Held back by the fault `reorder`. */
  | 'held'
  | 'delivered'
  /** A forged, unsigned or doubled one: sent once, whatever was answered. */
  | 'sent'
  | 'dropped'
  | 'abandoned'

export type Webhook = {
  id: string
  createdAt: string
  kind: 'genuine' | 'duplicate' | 'forged' | 'unsigned'
  eventCodes: string[]
  /** The exact text that is sent. */
  body: string
  /** Those of this webhook alone, such as a signature over the text. */
  headers: Record<string, string>
  status: WebhookStatus
  dueAt: string
  attempts: Posted[]
}

/** A report that can be downloaded; its id is its file name. */
export type Report = { id: string; createdAt: string; kind: string; batch: number; csv: string }

/** What has been in a settlement report: its id names the fact. */
export type Booking = { id: string; createdAt: string; batch: number }

type Records = {
  sessions: Session
  links: Link
  challenges: Challenge
  payments: Payment
  modifications: Modification
  storedCards: StoredCard
  answers: StoredAnswer
  webhooks: Webhook
  reports: Report
  bookings: Booking
}

type Table<R> = {
  get: (id: string) => R | undefined
  /** Adds a record, or writes down that it has changed. */
  put: (record: R) => void
  remove: (id: string) => void
  /** Oldest first. */
  all: () => R[]
}

export type State = { [Name in keyof Records]: Table<Records[Name]> } & {
  /** From now on every change is written down; called once the port is ours. */
  startJournal: () => void
  clear: () => void
  close: () => void
}

const TABLES = [
  ...(['sessions', 'links', 'challenges', 'payments', 'modifications'] as const),
  ...(['storedCards', 'answers', 'webhooks', 'reports', 'bookings'] as const)
]
const KEPT_MS = 30 * 24 * 3_600_000

/**
 * Everything that outlives a restart, in memory, and in a journal of one JSON line for each change
 * when a folder is given. A line is handed to the operating system before the call returns, so it
 * outlives SIGKILL (not a power cut, hence no fsync). The journal is rewritten at each start.
 */
export function openState(dir: string | undefined): State {
  const file = dir === undefined ? undefined : join(dir, 'journal.jsonl')
  const maps: Record<string, Map<string, { id: string }>> = {}
  for (const name of TABLES) maps[name] = new Map()
  if (file !== undefined) for (const line of readLines(file)) load(maps, line)

  let journal: number | undefined

  function table<R extends { id: string }>(name: (typeof TABLES)[number]): Table<R> {
    const records = maps[name] as Map<string, R>
    return {
      get: (id) => records.get(id),
      put: (record) => {
        records.set(record.id, record)
        if (journal !== undefined) writeSync(journal, asLine(name, record))
      },
      remove: (id) => {
        records.delete(id)
        if (journal !== undefined) writeSync(journal, `${JSON.stringify({ table: name, id })}\n`)
      },
      all: () => [...records.values()]
    }
  }

  function startJournal(): void {
    if (file === undefined) return
    mkdirSync(dirname(file), { recursive: true })
    const lines = TABLES.flatMap((name) =>
      [...(maps[name]?.values() ?? [])]
        .filter((record) => isWorthKeeping(name, record))
        .map((record) => asLine(name, record))
    )
    writeFileSync(`${file}.new`, lines.join(''), { mode: 0o600 })
    renameSync(`${file}.new`, file)
    if (journal !== undefined) closeSync(journal)
    journal = openSync(file, 'a')
  }

  return {
    sessions: table('sessions'),
    links: table('links'),
    challenges: table('challenges'),
    payments: table('payments'),
    modifications: table('modifications'),
    storedCards: table('storedCards'),
    answers: table('answers'),
    webhooks: table('webhooks'),
    reports: table('reports'),
    bookings: table('bookings'),
    startJournal,
    clear: () => {
      for (const name of TABLES) maps[name]?.clear()
      startJournal()
    },
    close: () => {
      if (journal !== undefined) closeSync(journal)
      journal = undefined
    }
  }
}

function asLine(table: string, record: object): string {
  return `${JSON.stringify({ table, record })}\n`
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/** A line that was cut short by the end of the process is passed over. */
function load(maps: Record<string, Map<string, { id: string }>>, line: string): void {
  try {
    const { table, record, id } = JSON.parse(line)
    if (record === undefined) maps[table]?.delete(id)
    else maps[table]?.set(record.id, record)
  } catch {}
}

/** Stored cards are kept for good, links until they expire. */
function isWorthKeeping(table: string, record: object): boolean {
  const { createdAt, expiresAt, status } = record as Record<string, string | undefined>
  const isOver = ['delivered', 'sent', 'dropped', 'abandoned'].includes(String(status))
  const isOpen = Date.parse(expiresAt ?? '') > Date.now()
  const isRecent = Date.parse(createdAt ?? '') > Date.now() - KEPT_MS
  return !isOver && (isRecent || isOpen || table === 'storedCards')
}
