/** Events held against the schema of their type, which the OpenAPI document publishes. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { sql } from 'kysely'
import type { Test } from 'tap'
import type { Db } from '../src/database/database.ts'
import { WebhookEventSchema } from '../src/feed/event.schema.ts'
import { namedIn } from '../src/http/common.schema.ts'
import type { PaymentAggregate } from '../src/lifecycle/model.ts'
import { asShown, toEventView, toPaymentView } from '../src/payments/payment-view.ts'
import { everyNode, refuseOthers } from './contract/document.ts'

const schemas = structuredClone([...namedIn(WebhookEventSchema)])
for (const schema of schemas) everyNode(schema, refuseOthers)
const ajv = new Ajv2020({ strict: false, allErrors: true })
addFormats.default(ajv)
ajv.addSchema(schemas)

/** What is wrong with an event by the schema of its type. */
export function findEventFaults(event: { type: string }): string[] {
  const name = event.type.replaceAll(/(?:^|\.)(\w)/g, (_, letter: string) => letter.toUpperCase())
  const validate = ajv.getSchema(`${name}Event`)
  if (validate === undefined) return [`${event.type} has no schema`]
  if (validate(event)) return []
  return (validate.errors ?? []).map((one) => `${event.type}${one.instancePath} ${one.message}`)
}

/** The same of all events of an aggregate, each as the API shows it. */
export function findFaultsOfEvents({ payment, events }: PaymentAggregate): string[] {
  const view = toEventView(payment, 'adyen')
  return events.flatMap((one) => {
    const then = toPaymentView({ ...payment, ...one.payment }, 'adyen')
    return findEventFaults(view({ ...one, payment: then, createdAt: payment.createdAt }))
  })
}

/** Holds every event that was written, as it is shown, against the schema of its type. */
export async function checkEvents(t: Test, db: Db): Promise<void> {
  const { rows } = await sql<{ type: string; data: { payment?: unknown } }>`
    select type, 'pay' as id, '2026-11-22T09:00:00Z' as "createdAt",
      p.account_id::text as "accountId", p.id as "paymentId", sequence,
      e.data || jsonb_build_object('payment', e.payment) as data
    from payment_event e join payment p on p.id = e.payment_id where e.payment is not null
    union all
    select type, id, '2026-11-22T09:00:00Z', account_id::text, null, null, data
    from other_event`.execute(db)
  const shown = rows.map(({ data, ...event }) => {
    const payment = data.payment === undefined ? {} : { payment: asShown(data.payment) }
    return { ...event, data: { ...data, ...payment } }
  })
  const faults = new Set(shown.flatMap(findEventFaults))
  t.same([...faults], [], 'every event is what the schema of its type says')
}
