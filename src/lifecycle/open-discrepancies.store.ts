import { sql } from 'kysely'
import type { Tx } from '../database/database.ts'
import type { Discrepancy } from './model.ts'

/** Of these facts those of which a discrepancy of the kind was opened, whenever. */
export async function findOpened(
  tx: Tx,
  kind: Discrepancy['kind'],
  facts: readonly string[]
): Promise<Set<string>> {
  const { rows } = await sql<{ fact: string }>`
    select fact from discrepancy where kind = ${kind} and fact = any(${facts})`.execute(tx)
  return new Set(rows.map(({ fact }) => fact))
}
