/** Events before the deadlines of disputes: each once, and only while there is something to do. */
import { sql } from 'kysely'
import t from 'tap'
import { findReminder } from '../../src/disputes/dispute.ts'
import { remindOfDeadlines } from '../../src/disputes/reminder.jobs.ts'
import { findNearDeadlines } from '../../src/disputes/reminder.store.ts'
import { disputeStages, disputeStatuses } from '../../src/lifecycle/model.ts'
import type { DisputeEvent } from '../../src/provider.ts'
import { checkMoney } from '../invariants.ts'
import { disputed, paidBy } from '../lifecycle/aggregates.ts'
import { newReference, savedPayments } from '../lifecycle/saved-payments.ts'

const hourMs = 60 * 60_000

t.test('disputes have events 7 and 2 days before their deadlines', async (t) => {
  const { db, addAccount, addPayment, applyTo, aggregateOf, typesOf } = await savedPayments(t)
  const wake = () => {}
  const onFault = (_: unknown, error: unknown) => t.fail(String(error))
  const remind = () => remindOfDeadlines({ db, providerName: 'adyen', wake, onFault })
  const paid = async () => {
    const id = await addPayment({ accountId: await addAccount() })
    const reference = newReference()
    await applyTo(id, paidBy(reference))
    return { id, reference }
  }
  const disputedPayment = async (defendBy: Date | null, dispute = newReference()) => {
    const { id, reference } = await paid()
    const about = { dispute, authorisationReference: reference, defendBy }
    await applyTo(id, disputed('notified', about))
    return { id, ...about }
  }
  const inHours = (hours: number) => new Date(Date.now() + hours * hourMs)
  const moveTo = async (id: string, hours: number) =>
    await sql`update dispute set defend_by = ${inHours(hours)} where payment_id = ${id}`.execute(db)
  /** How many days were left in each. */
  const told = async (id: string) => {
    const { rows } = await sql<{ days: number; defendBy: string }>`
      select data->'daysLeft' as days, data->'dispute'->'defendBy' as "defendBy"
      from payment_event where payment_id = ${id} and type = 'dispute.deadlineApproaching'
      order by sequence`.execute(db)
    return rows.map(({ days }) => days)
  }

  t.test('once each, whoever looks, and how often', async (t) => {
    const { id } = await disputedPayment(inHours(10 * 24))
    await remind()
    t.same(await told(id), [], 'it is not near')
    await moveTo(id, 7 * 24 - 1)
    await Promise.all([remind(), remind(), remind()])
    await remind()
    t.same(await told(id), [7])
    await moveTo(id, 3 * 24)
    await remind()
    t.same(await told(id), [7])
    await moveTo(id, 47)
    await Promise.all([remind(), remind()])
    t.same(await told(id), [7, 2])
    await moveTo(id, -1)
    await remind()
    t.same(await told(id), [7, 2])
    t.equal((await typesOf(id)).at(-1), 'dispute.deadlineApproaching')
  })

  t.test('of one that comes late only the nearer, at once, and by its own days', async (t) => {
    const late = await disputedPayment(inHours(4.5 * 24))
    const last = await disputedPayment(inHours(20))
    const over = await disputedPayment(inHours(-1))
    const never = await disputedPayment(null)
    await remind()
    await remind()
    const all = [late, last, over, never]
    t.same(await Promise.all(all.map(({ id }) => told(id))), [[5], [1], [], []])
    await moveTo(last.id, 6 * 24)
    await remind()
    t.same(await told(last.id), [1, 6], 'a deadline that moved away comes near again')
  })

  t.test('of a later deadline again, once each, and not of one that only shifts', async (t) => {
    const dispute = await disputedPayment(inHours(6 * 24))
    await remind()
    await moveTo(dispute.id, 6 * 24 + 12)
    await remind()
    t.same(await told(dispute.id), [6])
    await moveTo(dispute.id, 40)
    await remind()
    t.same(await told(dispute.id), [6, 2])
    await applyTo(dispute.id, disputed('defended', { ...dispute, defendBy: null }))
    const next = { ...dispute, defendBy: inHours(20 * 24) }
    await applyTo(dispute.id, disputed('preArbitrationOpened', next))
    await remind()
    t.same(await told(dispute.id), [6, 2], 'it is not near')
    // Two weeks go by.
    await moveTo(dispute.id, 6 * 24)
    await sql`update dispute_reminder set defend_by = defend_by - interval '14 days'
      where dispute_id in (select id from dispute where payment_id = ${dispute.id})`.execute(db)
    await Promise.all([remind(), remind()])
    await moveTo(dispute.id, 30)
    await Promise.all([remind(), remind()])
    t.same(await told(dispute.id), [6, 2, 6, 2])
  })

  t.test('none of what was defended or is closed', async (t) => {
    const near = inHours(24)
    const defended = await disputedPayment(near)
    await applyTo(defended.id, disputed('defended', { ...defended, defendBy: null }))
    const lost = await disputedPayment(near)
    await applyTo(lost.id, disputed('defencePeriodEnded', { ...lost, defendBy: null }))
    await remind()
    t.same([await told(defended.id), await told(lost.id)], [[], []])
    await applyTo(defended.id, disputed('preArbitrationOpened', defended))
    await remind()
    t.same(await told(defended.id), [1], 'the bank goes on, and that can be answered')
  })

  t.test('of a chargeback too that comes after a question was answered', async (t) => {
    const { id, reference } = await paid()
    const about = { dispute: newReference(), authorisationReference: reference }
    await applyTo(id, disputed('informationRequested', { ...about, defendBy: inHours(30) }))
    await remind()
    await applyTo(id, disputed('defended', { ...about, defendBy: null }))
    const taken = { ...about, dispute: newReference(), defendBy: inHours(6 * 24) }
    await applyTo(id, disputed('chargedBack', taken))
    await remind()
    t.same(await told(id), [2, 6])
    const asked = await paid()
    const same = { dispute: newReference(), authorisationReference: asked.reference }
    const near = { ...same, defendBy: inHours(24) }
    for (const event of ['informationRequested', 'notified', 'defended', 'chargedBack'] as const) {
      await applyTo(asked.id, disputed(event, near))
    }
    await remind()
    t.same(await told(asked.id), [], 'its announcement was answered')
  })

  t.test('those that are found are those that the rule is about', async (t) => {
    const { id } = await paid()
    const reports: DisputeEvent[][] = [
      ...[[], ['defended'], ['preArbitrationDeclined'], ['informationRequested']],
      ['informationRequested', 'defended', 'notified', 'chargedBack'],
      ['informationRequested', 'chargedBack', 'defended'],
      ['defended', 'chargedBack']
    ] as DisputeEvent[][]
    const rows = disputeStatuses.flatMap((status) =>
      disputeStages.flatMap((stage) =>
        reports.flatMap((reported) =>
          [-1, 1, 47, 49, 167, 169].map((hours) => ({ status, stage, reported, hours }))
        )
      )
    )
    const all = rows.map((row, n) => ({ id: `dsp_${n}`, ...row, defendBy: inHours(row.hours) }))
    await sql`
      insert into dispute (id, payment_id, reference, currency, amount, status, stage, reported,
        created_at, updated_at, defend_by, closed_at)
      select id, ${id}, id, 'GBP', 0, status, stage,
        array(select jsonb_array_elements_text(reported)), now(), now(), "defendBy",
        case when status <> 'open' then now() end
      from jsonb_to_recordset(${JSON.stringify(all)}::jsonb) as x(id text, status text, stage text,
        reported jsonb, "defendBy" timestamptz)`.execute(db)
    const disputes = (await aggregateOf(id))?.disputes ?? []
    t.equal(disputes.length, rows.length)
    const due = disputes.filter((one) => findReminder(one, new Date()) !== undefined)
    const found = await findNearDeadlines(db, 1_000)
    t.same(found.map((one) => one.id).sort(), due.map((one) => one.id).sort())
    t.ok(due.length > 20)
    t.equal((await findNearDeadlines(db, 7)).length, 7)
    while ((await remind()) > 0);
    t.same(await findNearDeadlines(db, 1_000), [])
    t.equal((await told(id)).length, due.length)
  })

  t.test('the money is right', (t) => checkMoney(t, db))
})
