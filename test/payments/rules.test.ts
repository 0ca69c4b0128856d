/** The rules of a payment as the database holds them, whoever writes. */
import { sql } from 'kysely'
import t from 'tap'
import { testService } from '../test-service.ts'

const captured =
  "status = 'captured', authorisation_reference = 'A', amount_authorised = amount, " +
  'amount_captured = amount, finished_at = now(), next_attempt_at = null'

/**
 * What is set on a pending payment, by the rule that it breaks: of several, PostgreSQL names the
 * first by the alphabet.
 */
const broken: ReadonlyArray<readonly [rule: string, change: string]> = [
  ['payment_id_check', "id = repeat('x', 21)"],
  ['payment_amount_check', 'amount = 0'],
  ['payment_channel_check', "channel = 'fax'"],
  ['payment_method_check', "method = 'cash'"],
  ['payment_capture_check', "capture = 'later'"],
  ['payment_save_card_check', "save_card = 'maybe'"],
  ['payment_status_check', "status = 'lost', finished_at = now(), next_attempt_at = null"],
  [
    'payment_cancelled_by_check',
    "status = 'cancelled', cancelled_by = 'nobody', finished_at = now(), next_attempt_at = null"
  ],
  ['agent_is_named', "channel = 'agent'"],
  ['method_has_its_own', 'return_url = null'],
  ['method_has_its_own', "registered_card_id = 'crd_1'"],
  ['method_has_its_own', "processor_name = 'till'"],
  ['method_has_its_own', "processor_reference = '1'"],
  ['method_has_its_own', 'taken_at = now()'],
  ['method_has_its_own', 'idempotency_key = null'],
  ['method_has_its_own', 'provider_key = null'],
  ['charge_has_token', "card_token = 'T'"],
  ['returned_has_time', "redirect_result = 'R'"],
  ['returned_has_time', 'returned_at = now()'],
  ['paid_has_authorisation', `${captured}, authorisation_reference = null`],
  ['paid_has_authorisation', `${captured}, failure = '{}'`],
  ['captured_has_amount', `${captured}, amount_captured = 0`],
  ['captured_has_amount', 'amount_captured = 1'],
  ['ended_says_why', "status = 'refused', finished_at = now(), next_attempt_at = null"],
  ['cancelled_says_who', "status = 'cancelled', finished_at = now(), next_attempt_at = null"],
  ['cancelled_says_who', "cancelled_by = 'client'"],
  ['finished_has_time', 'finished_at = now()'],
  ['finished_has_time', `${captured}, finished_at = null`],
  ['only_pending_is_due', `${captured}, next_attempt_at = now()`],
  ['captured_within_authorised', `${captured}, amount_captured = amount + 1`],
  ['captured_within_authorised', `${captured}, amount_authorised = amount - 1`],
  ['refunded_not_negative', 'amount_refunding = -1'],
  ['refunded_not_negative', 'amount_refunded = -1'],
  ['refunded_not_negative', 'amount_charged_back = -1'],
  ['lease_is_whole', 'lease = gen_random_uuid()'],
  ['lease_is_whole', 'leased_until = now()']
]

t.test('the database refuses a payment that breaks a rule, and names the rule', async (t) => {
  const { db, createPayment } = await testService(t)
  const { id } = await createPayment()
  const change = (assignments: string) =>
    sql`update payment set ${sql.raw(assignments)} where id = ${id}`.execute(db)
  const pending = await db.selectFrom('payment').selectAll().execute()
  for (const [rule, assignments] of broken) {
    // A column that is set twice is set as the last one says.
    const last = new Map(assignments.split(', ').map((one) => [one.split(' = ')[0], one]))
    const refused = { code: '23514', constraint: rule, table: 'payment' }
    await t.rejects(change([...last.values()].join(', ')), refused, `${rule}: ${assignments}`)
  }
  t.same(await db.selectFrom('payment').selectAll().execute(), pending)
  const inserted = sql`
    insert into payment select copy.* from payment p
    cross join lateral jsonb_populate_record(p, '{"id": "pay_1", "channel": "fax"}') copy`
  await t.rejects(inserted.execute(db), { code: '23514', constraint: 'payment_channel_check' })
  await sql`insert into authorisation
    (reference, payment_id, currency, amount, outcome, disposition)
    select 'A', id, currency, amount, 'authorised', 'kept' from payment`.execute(db)
  await change(captured)
})
