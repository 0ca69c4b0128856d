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

/** What is known of a card after it was used: never its number. */
export type Card = {
  brand: Brand
  lastFour: string
  /** Two digits and four digits: `03` and `2030`. */
  expiryMonth: string
  expiryYear: string
  holderName: string
}

export type Attempt = {
  pspReference: string
  at: string
  resultCode: 'Authorised' | 'Cancelled' | 'Error' | 'Received' | 'Refused'
  /** Adyen's refusal text; empty for a payment that was not refused. */
  reason: string
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

/** An authorised payment, under its pspReference. */
export type Payment = {
  id: string
  createdAt: string
  reference: string
  amount: Amount
  brand: Brand
  /** When it is captured without being asked to; null with manual capture. */
  capturedAt: string | null
  refundFails: boolean
  reversed: boolean
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
  status: WebhookStatus
  dueAt: string
  attempts: Posted[]
}

type Records = {
  sessions: Session
  payments: Payment
  storedCards: StoredCard
  answers: StoredAnswer
  webhooks: Webhook
}

type Table<R> = {
  get: (id: string) => R | undefined
  /** Adds a record, or writes down that it has changed. */
  put: (record: R) => void
  /** Oldest first. */
  all: () => R[]
}

export type State = { [Name in keyof Records]: Table<Records[Name]> } & {
  /** From now on every change is written down; called once the port is ours. */
  startJournal: () => void
  clear: () => void
  close: () => void
}

const TABLES = ['sessions', 'payments', 'storedCards', 'answers', 'webhooks'] as const
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
      all: () => [...records.values()]
    }
  }

  function startJournal(): void {
    if (file === undefined) return
    mkdirSync(dirname(file), { recursive: true })
    const lines = TABLES.flatMap((name) =>
      [...(maps[name]?.values() ?? [])].filter(isWorthKeeping).map((record) => asLine(name, record))
    )
    writeFileSync(`${file}.new`, lines.join(''), { mode: 0o600 })
    renameSync(`${file}.new`, file)
    if (journal !== undefined) closeSync(journal)
    journal = openSync(file, 'a')
  }

  return {
    sessions: table('sessions'),
    payments: table('payments'),
    storedCards: table('storedCards'),
    answers: table('answers'),
    webhooks: table('webhooks'),
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
    const { table, record } = JSON.parse(line)
    maps[table]?.set(record.id, record)
  } catch {}
}

function isWorthKeeping(record: object): boolean {
  const { createdAt, status } = record as { createdAt: string; status?: unknown }
  const isOver = ['delivered', 'sent', 'dropped', 'abandoned'].includes(String(status))
  return !isOver && Date.parse(createdAt) > Date.now() - KEPT_MS
}
