/** How the tables are filled. */
import { setTimeout } from 'node:timers/promises'
import type pg from 'pg'
import { accountCount, firstAccount, returnOrigin } from './operations.ts'

const triesMax = 5

export async function pushAccounts(port: number, apiKey: string): Promise<void> {
  const numbers = Array.from({ length: accountCount }, (_, n) => firstAccount + n)
  while (numbers.length > 0) {
    const batch = numbers.splice(0, 16).map((id) => {
      const body = { currency: 'GBP' }
      return send('PUT', `http://127.0.0.1:${port}/v1/accounts/${id}`, apiKey, body)
    })
    await Promise.all(batch)
  }
}

/** A payment made by the service itself, that those to be paid are copies of. */
export async function createTemplate(port: number, apiKey: string): Promise<string> {
  const payment = await send('POST', `http://127.0.0.1:${port}/v1/payments`, apiKey, {
    accountId: String(firstAccount),
    amount: { currency: 'GBP', value: 1 },
    channel: 'selfcare',
    returnUrl: `${returnOrigin}/paid`,
    reference: 'basket-0'
  })
  return (payment as { id: string }).id
}

/** Asks the service for what a measurement needs; who is told to come again does so. */
export async function send(
  method: string,
  url: string,
  apiKey: string,
  body?: unknown,
  key = url
): Promise<unknown> {
  const headers = {
    authorization: `Bearer ${apiKey}`,
    'content-type': 'application/json',
    'idempotency-key': `bench-${key}`
  }
  const text = body === undefined ? {} : { body: JSON.stringify(body) }
  for (let tries = 1; ; tries++) {
    const response = await fetch(url, { method, headers, ...text })
    if (response.ok) return await response.json()
    const why = `${method} ${url}: ${response.status} ${await response.text()}`
    if (response.status !== 503 || tries === triesMax) throw new Error(why)
    await setTimeout(1_000 * Number(response.headers.get('retry-after') ?? 1))
  }
}

export async function seedFloor(db: pg.Client, first: number, count: number): Promise<void> {
  const range = [first, first + count - 1, firstAccount, accountCount]
  await db.query(
    `insert into payment (id, client_id, idempotency_key, account_id, currency, amount, channel,
       return_url, reference, status, provider_session, checkout_url)
     select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench', 'seed-' || n,
       $3 + n % $4, 'GBP', 100 + n, 'selfcare', 'https://selfcare.example/paid', 'basket-' || n,
       'pending', 'CS' || n, 'https://test.adyen.link/CS' || n
     from generate_series($1::integer, $2::integer) n`,
    range
  )
  await db.query(
    `insert into payment_event (payment_id, type, data)
     select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'payment.created', '{}'
     from generate_series($1::integer, $2::integer) n`,
    range.slice(0, 2)
  )
}

/** Copies of the template in all but what tells payments apart, whatever columns there are. */
export async function seedOurs(
  db: pg.Client,
  template: string,
  first: number,
  count: number
): Promise<void> {
  const range = [template, first, first + count - 1]
  await db.query(
    `insert into payment
     select copy.* from payment p cross join generate_series($2::integer, $3::integer) n
     cross join lateral jsonb_populate_record(p, jsonb_build_object(
       'id', 'pay_' || lpad(to_hex(n), 16, '0'), 'idempotency_key', 'seed-' || n,
       'account_id', $4 + n % $5, 'amount', 100 + n, 'reference', 'basket-' || n,
       'provider_key', 'pay_' || lpad(to_hex(n), 16, '0') || '.session.1',
       'provider_session', 'CS' || n, 'checkout_url', 'https://test.adyen.link/CS' || n)) copy
     where p.id = $1`,
    [...range, firstAccount, accountCount]
  )
  await db.query(
    `insert into payment_event
     select copy.* from payment_event e cross join generate_series($2::integer, $3::integer) n
     cross join lateral jsonb_populate_record(e,
       jsonb_build_object('payment_id', 'pay_' || lpad(to_hex(n), 16, '0'))) copy
     where e.payment_id = $1`,
    range
  )
}
