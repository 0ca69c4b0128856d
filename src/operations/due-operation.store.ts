import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import { moneyRetryForMs } from '../due/delays.ts'
import { type Claimed, postpone, type Queue } from '../due/due.store.ts'
import type { OperationKind } from '../lifecycle/model.ts'
import type { CallKind } from '../provider.ts'

type AskedOperation = {
  id: string
  kind: OperationKind
  paymentId: string
  authorisationReference: string | null
  amount: number
  currency: string
  providerKey: string
  /** Since the first attempt, ms by the database's clock. */
  triedForMs: number
  /** The link of the payment, where that is what is to be closed. */
  link: string | null
}
export type DueOperation = Claimed<AskedOperation>

/** Operations that the provider is to be asked for, with the time of their first attempt. */
export const dueOperations: Queue<AskedOperation> = {
  table: 'operation',
  key: ['id'],
  set: sql`first_tried_at = least(first_tried_at, now())`,
  read: sql<AskedOperation>`
    claimed.id, kind, payment_id as "paymentId",
    claimed.authorisation_reference as "authorisationReference", claimed.amount,
    claimed.currency, claimed.provider_key as "providerKey",
    (extract(epoch from now() - first_tried_at) * 1000)::double precision as "triedForMs",
    case when claimed.authorisation_reference is null and method = 'paymentLink'
      then provider_session end as link
    from claimed join payment on payment.id = payment_id`
}

/** By which calls each is asked of the provider. */
export const sentAs = {
  capture: 'captures',
  refund: 'refunds',
  cancellation: 'cancellations',
  reversal: 'cancellations'
} as const satisfies Record<OperationKind, CallKind>
export type SentKind = (typeof sentAs)[OperationKind]
export const sentKinds = [...new Set(Object.values(sentAs))]

export const isOfKind = (sent: SentKind) => {
  const kinds = Object.entries(sentAs).filter(([, one]) => one === sent)
  return sql`kind = any(${kinds.map(([kind]) => kind)})`
}

/** Those that the provider has not taken: what it has taken waits for its outcome alone. */
export const notTaken = (kind: SentKind) => sql`provider_reference is null and ${isOfKind(kind)}`

/**
 * The provider took it; its outcome comes as a notification. Where none comes within a day of the
 * first attempt it is due again, to be shown to a person.
 */
export async function recordAccepted(db: Db, due: DueOperation, reference: string): Promise<void> {
  const accepted = sql`
    provider_reference = coalesce(provider_reference, ${reference}), updated_at = now()`
  const leftS = (moneyRetryForMs - due.triedForMs) / 1000 + 60
  if (await postpone(db, dueOperations, due, leftS, accepted)) return
  // Its outcome was reported meanwhile, or somebody else is at it: the reference is true anyhow.
  await sql`update operation set ${accepted} where id = ${due.id}`.execute(db)
}
