/** The service of the growth bench: without its worker, whose tasks are run one by one. */

import type pg from 'pg'
import type { Logger } from 'pino'
import type { createContext, ServiceOptions } from '../src/service.ts'
import { createDispatcher } from '../src/webhooks/delivery.jobs.ts'
import { toStandard } from '../src/webhooks/envelope.ts'
import { merchantAccount } from './operations.ts'

/** Adyen is not there: what is asked of it is tried again later. */
const nowhere = 'http://127.0.0.1:1'

export function toOptions(databaseUrl: string, log: Logger): ServiceOptions {
  return {
    host: '127.0.0.1',
    port: 0,
    metricsPort: undefined,
    databaseUrl,
    publicUrl: nowhere,
    sandbox: false,
    adyenTimeoutMs: 1_000,
    paymentMaxValue: 999_999_999_999,
    paymentMethods: ['scheme'],
    duplicateWindowS: 600,
    refundApprovalAbove: null,
    settlementMissingDays: 7,
    retention: { keysDays: 30, deliveriesDays: 30, notificationsDays: null },
    rateLimit: null,
    trustProxy: [],
    connections: { requests: 4, reads: 4, background: 4 },
    databaseWaitS: 10,
    drainS: 0,
    merchantName: null,
    log,
    adyen: {
      environment: 'TEST',
      apiKey: 'bench',
      merchantAccount,
      hmacKeys: [Buffer.alloc(32, 1)],
      tokenHmacKeys: [],
      liveUrlPrefix: undefined,
      checkoutUrl: nowhere,
      webhookUser: undefined,
      webhookPassword: undefined,
      moto: false,
      multiplePartialCaptures: false
    }
  }
}

/** No webhook leaves this process. */
export function createDeliveries(context: ReturnType<typeof createContext>) {
  const { db, providerName, sealing } = context
  const error = 'nobody is there'
  return createDispatcher({
    db,
    providerName,
    envelopes: { standard: toStandard, cloudevents: toStandard, tmf676: toStandard },
    send: async () => ({ httpStatus: null, error, response: null, retryAfter: null }),
    sealing,
    wake: () => {},
    onOutcome: () => {},
    onEndpointDisabled: () => {},
    onFault: () => {}
  })
}

/** Some work of each kind that is due now, from the payments that wait for their outcome. */
export async function makeDue(db: pg.Client): Promise<void> {
  const pending = (from: number, to: number) => `(select * from (
    select *, row_number() over (order by id desc) as place from payment
    where status = 'pending') p where place between ${from} and ${to}) p`
  // Creates that nobody answered; pages, links and card payments that are to be looked after.
  await db.query(`insert into idempotency_key (client_id, key, fingerprint, resource_id,
      next_attempt_at)
    select client_id, 'due-' || id, '', id, now() from ${pending(1, 3)} on conflict do nothing`)
  await db.query(`update payment set next_attempt_at = now(), expires_at = now()
    where id in (select id from ${pending(4, 12)})`)
  await db.query(`insert into page_return (payment_id, session_result, next_attempt_at)
    select id, 'x', now() from ${pending(13, 14)} on conflict do nothing`)
  await db.query(`insert into notification (id, fingerprint, event_code, success, psp_reference,
      merchant_reference, merchant_account, currency, amount, live, item, status, next_attempt_at)
    select 'ntf_z' || id, convert_to(id, 'UTF8'), 'AUTHORISATION', true, 'Z' || id, id,
      '${merchantAccount}', currency, amount, false, jsonb_build_object('pspReference', 'Z' || id,
        'eventCode', 'AUTHORISATION', 'success', 'true', 'merchantReference', id), 'received', now()
    from ${pending(15, 34)} on conflict do nothing`)
  await db.query(`insert into operation (id, kind, payment_id, authorisation_reference, currency,
      amount, status, provider_key, next_attempt_at)
    select kind || '_z' || id, kind, id, authorisation_reference, currency, 100, 'requested', id,
      now()
    from (select * from payment where status = 'captured' order by id desc limit 3) p
    cross join unnest(array['refund', 'capture', 'cancellation']) as kind
    on conflict (id) do update set next_attempt_at = now() where operation.status = 'requested'`)
  await db.query(
    'insert into card_sync (account_id, next_attempt_at) values (1, now()) on conflict do nothing'
  )
  await db.query(`update card set removed_at = now(), next_attempt_at = now() where id = 'crd_2'`)
  await db.query(`insert into discrepancy (id, kind, fact, payment_id, details, status, resolution,
      resolved_at)
    select 'dis_z', 'paid_after_end', 'z', payment_id, jsonb_build_object('refundId', id),
      'resolved', 'refund', now() from operation where id like 'ref%z%' limit 1
    on conflict do nothing`)
}
