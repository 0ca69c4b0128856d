/** Payments with a registered card, and what the simulator saw of them. */
import { sql } from 'kysely'
import { registerCard } from '../registered-card.ts'
import { newAccountId, type TestService } from '../test-service.ts'

export async function setUp(service: TestService, changes: Record<string, unknown> = {}) {
  const accountId = newAccountId()
  await service.call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
  const registeredCardId = await registerCard(service, accountId, changes)
  const payByCard = (body: Record<string, unknown> = {}, idempotencyKey = crypto.randomUUID()) =>
    service.call('POST', '/v1/payments', {
      body: {
        accountId,
        amount: { currency: 'GBP', value: 700 },
        channel: 'ivr',
        method: 'registeredCard',
        registeredCardId,
        allowDuplicate: true,
        ...body
      },
      idempotencyKey
    })
  return { accountId, registeredCardId, payByCard }
}

/** What was asked of the simulator about the payment, by its key. */
export async function keysOf({ control }: TestService, paymentId: string): Promise<string[]> {
  const { body } = await control('GET', '/_simulator/requests')
  return body
    .map((one: { headers: Record<string, string> }) => one.headers['idempotency-key'] ?? '')
    .filter((key: string) => key.startsWith(paymentId))
}

export async function requestOf({ control }: TestService, paymentId: string) {
  const { body } = await control('GET', '/_simulator/requests')
  return body.find((one: { body?: { reference?: string } }) => one.body?.reference === paymentId)
}

export async function paymentsAt({ control }: TestService, paymentId: string): Promise<unknown[]> {
  const { body } = await control('GET', '/_simulator/payments')
  return body.filter((one: { reference: string }) => one.reference === paymentId)
}

export async function openDiscrepancies({ db }: TestService, paymentId: string): Promise<string[]> {
  const { rows } = await sql<{ kind: string }>`
    select kind from discrepancy where payment_id = ${paymentId}`.execute(db)
  return rows.map(({ kind }) => kind)
}

export const makeDue = async ({ db }: TestService, paymentId: string) => {
  await sql`update payment set next_attempt_at = now() where id = ${paymentId}`.execute(db)
}
