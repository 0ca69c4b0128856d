import { sql } from 'kysely'
import type { Db, Tx } from '../database/database.ts'
import { paymentColumnList, type StoredPayment, toPayment } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'

export type NewRecord = Pick<
  Payment,
  | 'id'
  | 'clientId'
  | 'accountId'
  | 'amount'
  | 'channel'
  | 'reference'
  | 'operator'
  | 'authorisationCode'
> & { processor: { name: string; reference: string }; takenAt: Date }

/**
 * Writes the payment as it begins, with its first event; false where the processor's reference is
 * recorded already.
 */
export async function insertRecord(tx: Tx, record: NewRecord): Promise<boolean> {
  const { amount, processor } = record
  const { rows } = await sql<{ id: string }>`
    with created as (
      insert into payment (id, client_id, account_id, currency, amount, amount_authorised, channel,
        method, capture, save_card, reference, operator, expires_at, status, processor_name,
        processor_reference, authorisation_code, taken_at)
      values (${record.id}, ${record.clientId}, ${record.accountId}, ${amount.currency},
        ${amount.value}, ${amount.value}, ${record.channel}, 'recorded', 'automatic', 'never',
        ${record.reference},
        ${record.operator && JSON.stringify(record.operator)}::jsonb, now(), 'pending',
        ${processor.name}, ${processor.reference}, ${record.authorisationCode}, ${record.takenAt})
      on conflict (processor_name, processor_reference) where processor_name is not null do nothing
      returning id
    ), event as (
      insert into payment_event (payment_id, sequence, type, data)
      select id, 1, 'payment.created', '{}' from created
    ), outbox as (
      insert into event_outbox (payment_id, sequence)
      select id, 1 from created
    )
    select id from created`.execute(tx)
  return rows.length === 1
}

export async function findRecord(
  db: Db | Tx,
  { name, reference }: { name: string; reference: string }
): Promise<Payment | undefined> {
  const { rows } = await sql<StoredPayment>`
    select ${paymentColumnList} from payment
    where processor_name = ${name} and processor_reference = ${reference}`.execute(db)
  return rows[0] && toPayment(rows[0])
}
