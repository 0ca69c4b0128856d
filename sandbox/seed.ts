import { createCharge, putAccount } from '../src/accounts/account.commands.ts'
import { findClientByName, insertClient, insertKey } from '../src/clients/client.store.ts'
import { scopes } from '../src/clients/client.ts'
import type { Db } from '../src/database/database.ts'

const accountId = 10_000_001
const currency = 'GBP'
/** Fixed, so that a second start pushes the same charges. */
const charges = [
  { reference: 'INV-1001', value: 2500, dueAt: new Date('2026-01-31T00:00:00Z') },
  { reference: 'INV-1002', value: 1700, dueAt: new Date('2030-01-31T00:00:00Z') }
]

/** What the sandbox's issuer of tokens calls its client, and its name here. */
export const oauthSubject = 'demo-oauth'

export type Seeded = { accountId: string; amount: { currency: string; value: number } }

/**
 * A client that may do everything, and an account that owes something; `hasIssuer`: also a client
 * with tokens. Changes nothing twice.
 */
export async function seed(db: Db, demoKey: string, hasIssuer: boolean): Promise<Seeded> {
  const known = await findClientByName(db, 'demo')
  await db.transaction().execute(async (tx) => {
    const id =
      known?.id ??
      (await insertClient(tx, {
        name: 'demo',
        scopes,
        thirdParty: false,
        returnOrigins: ['https://selfcare.example']
      }))
    await insertKey(tx, id, demoKey)
  })
  if (hasIssuer) await seedTokenClient(db)
  await putAccount(db, { id: accountId, currency, name: 'A. Customer' })
  for (const { reference, value, dueAt } of charges) {
    await createCharge(db, { accountId, reference, amount: { currency, value }, dueAt })
  }
  return { accountId: String(accountId), amount: { currency, value: 2500 } }
}

async function seedTokenClient(db: Db): Promise<void> {
  if ((await findClientByName(db, oauthSubject)) !== undefined) return
  const client = { name: oauthSubject, scopes, thirdParty: false, returnOrigins: [], oauthSubject }
  await db.transaction().execute((tx) => insertClient(tx, client))
}
