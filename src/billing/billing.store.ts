import { sql } from 'kysely'
import { lockUntilEnd } from '../database/brand.ts'
import type { Db, Tx } from '../database/database.ts'
import type { BillingFile, limitsOf } from './billing.ts'
import { readPostings } from './posting.store.ts'
import type { BillingPosting, PostingStatus } from './posting.ts'

/** Any number: one file at a time takes its postings, over all instances. */
const makingLock = 7_240_014

/**
 * Open postings that are in no file, oldest first; locked until the end of `tx`, as is the making
 * of files.
 */
export async function lockUnfiled(
  tx: Tx,
  { currency, transactionType }: Pick<BillingFile, 'currency' | 'transactionType'>,
  { step, amountMax }: ReturnType<typeof limitsOf>,
  limit: number
): Promise<BillingPosting[]> {
  await lockUntilEnd(tx, makingLock)
  const side = sql.ref(transactionType === 'payment' ? 't.credit_account' : 't.debit_account')
  return await readPostings(
    tx,
    sql`where b.status = 'open' and b.file_id is null and t.currency = ${currency}
        and ${side} = 'customer' and t.amount % ${step} = 0 and t.amount <= ${amountMax}
      order by b.position limit ${limit} for no key update of b`
  )
}

/** Writes the file, and that these postings are its details, in this order. */
export async function insertFile(
  tx: Tx,
  file: BillingFile,
  content: string,
  postingIds: readonly string[]
): Promise<void> {
  const { id, currency, transactionType, recordCount, totalAmount, createdAt } = file
  await sql`
    insert into billing_file (id, currency, transaction_type, record_count, total_amount, content,
      created_at)
    values (${id}, ${currency}, ${transactionType}, ${recordCount}, ${totalAmount}, ${content},
      ${createdAt})`.execute(tx)
  await sql`
    update billing_posting set file_id = ${id}, file_sequence = x.sequence
    from unnest(${postingIds}::text[]) with ordinality as x(posting, sequence)
    where billing_posting.id = x.posting`.execute(tx)
}

export type CountedFile = { file: BillingFile; counts: Record<PostingStatus, number> }
type Row = BillingFile & Pick<CountedFile, 'counts'>

const selectFiles = sql`
  select id, currency, transaction_type as "transactionType", record_count as "recordCount",
    total_amount as "totalAmount", created_at as "createdAt", (
      select jsonb_build_object('open', count(*) filter (where status = 'open'),
        'posted', count(*) filter (where status = 'posted'),
        'rejected', count(*) filter (where status = 'rejected'))
      from billing_posting where file_id = f.id) as counts
  from billing_file f`

const toCounted = ({ counts, ...file }: Row): CountedFile => ({ file, counts })

/** Newest first. */
export async function listFiles(
  db: Db,
  filter: { before: string | null; limit: number }
): Promise<CountedFile[]> {
  const { before, limit } = filter
  const { rows } = await sql<Row>`
    ${selectFiles} where ${before}::text is null or f.id < ${before}
    order by f.id desc limit ${limit}`.execute(db)
  return rows.map(toCounted)
}

export async function findFile(db: Db, id: string): Promise<CountedFile | undefined> {
  const { rows } = await sql<Row>`${selectFiles} where f.id = ${id}`.execute(db)
  return rows[0] && toCounted(rows[0])
}

/** The file as it was made. */
export async function findContent(db: Db, id: string): Promise<string | undefined> {
  const { rows } = await sql<{ content: string }>`
    select content from billing_file where id = ${id}`.execute(db)
  return rows[0]?.content
}

/** The details of a file, in its order; locked. */
export async function lockDetails(tx: Tx, fileId: string): Promise<BillingPosting[]> {
  return await readPostings(
    tx,
    sql`where b.file_id = ${fileId} order by b.position for no key update of b`
  )
}
