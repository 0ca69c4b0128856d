/** What breaks each invariant, by its name; `$payment` is one that was captured and refunded. */

const ofPayment = 'where payment_id = $payment'
const reversal = `insert into operation
    (id, kind, payment_id, authorisation_reference, currency, amount, status)
  select 'rev_x', 'reversal', payment_id, reference, currency, amount, 'succeeded'
  from authorisation ${ofPayment}`
const disposed = (disposition: string) =>
  `update authorisation set disposition = '${disposition}' ${ofPayment}`

export const damages: Readonly<Record<string, string>> = {
  'captured within authorised, refunded within captured or shown to a person':
    'update payment set amount_refunded = amount_captured + 1 where id = $payment',
  'the events of a payment are numbered without holes, and as many as it counts': `
    delete from payment_event ${ofPayment} and sequence = 2`,
  'the status of a payment is what its last event of one says': `update payment_event
    set type = 'payment.refused' ${ofPayment} and type = 'payment.captured'`,
  'the last event shows the payment as it is':
    'update payment set amount_refunded = 0 where id = $payment',
  'what a payment took and gave back is what was posted for it': `update ledger_transfer
    set amount = amount + 1 ${ofPayment}`,
  'what a payment posts is on its own account, and what is not held in its currency': `
    update ledger_transfer set account_id =
      (select id from account where id <> account_id limit 1) ${ofPayment}`,
  'an account is credited once for each authorisation that was kept, and for no other': `
    update ledger_transfer set fact = 'another' ${ofPayment} and posting = 'payment'`,
  'what a payment captured is what its captures have taken': disposed('released'),
  'what a payment gave back, and what it reserves, is what its refunds say':
    'update payment set amount_refunding = 5 where id = $payment',
  'each refund that stands is posted once more than it came back': `update ledger_transfer
    set cause_id = 'ref_x' ${ofPayment} and posting = 'refund'`,
  'what the bank has taken is what was posted for its disputes': `
    insert into dispute (id, payment_id, reference, currency, amount, amount_charged_back, status,
      stage, reported, created_at, updated_at)
    values ('dsp_x', $payment, 'x', 'GBP', 5, 5, 'open', 'chargeback', '{}', now(), now())`,
  'what a payment was charged back is what its disputes say':
    'update payment set amount_charged_back = 5 where id = $payment',
  'what stands in clearing is money under reversal or in doubt': disposed('differs'),
  'each authorisation that goes back has its reversal, and no other has one': reversal,
  'held money that a person decided about was posted once, by that decision': disposed('applied'),
  'a payment has an event for each time a discrepancy was opened or resolved': `
    insert into discrepancy (id, kind, fact, payment_id, details, status)
    values ('dis_x', 'outcome_unknown', 'x', $payment, '{}', 'open')`,
  'a payment has an event for each reversal, and for each refused attempt': reversal,
  'the status of a payment has gone from event to event as it may': `update payment_event
    set payment = jsonb_set(payment, '{status}', '"pending"') ${ofPayment} and sequence = 3`,
  'each event of a payment has one place in the feed, or waits for it': `
    delete from event_feed ${ofPayment} and sequence = 2`,
  'the events of a payment stand in the feed in their order': `
    with gone as (delete from event_feed ${ofPayment} and sequence = 2 returning *)
    insert into event_feed (payment_id, sequence, type, account_id, client_id)
    select payment_id, sequence, type, account_id, client_id from gone`,
  'what a payment moved on an account has one place among the postings, or waits for it': `
    insert into posting_outbox (transfer_id) select id from ledger_transfer ${ofPayment}`,
  'what was moved for a payment has its cause': `update ledger_transfer
    set cause_type = 'capture', cause_id = 'cap_x' ${ofPayment} and posting = 'payment'`,
  'what a payment was paid out is what lines of settlement reports say': `
    update payment set settlement = '{"gross": 5, "fees": 0, "net": 5, "currency": "GBP"}'
    where id = $payment`,
  'a payment that was asked for in the last six days has its key':
    'delete from idempotency_key where resource_id = $payment',
  'a key of a client has made one payment': `
    update idempotency_key set resource_id = 'pay_x' where resource_id = $payment`,

  'the open amount of a charge is what no money has paid':
    'update charge set open_amount = open_amount - 1',
  'the open amount of a credit is what has paid nothing':
    'update credit set open_amount = open_amount + 1',
  'the open amount of a debit is what it has not found': 'update debit set open_amount = 1',
  'no money has been taken back from a charge that it had not paid': `
    insert into allocation (account_id, transfer_id, charge_id, amount)
    select account_id, transfer_id, charge_id, -5000 from allocation
    where charge_id is not null limit 1`,
  'money that comes is a credit, money that is taken back is a debit':
    'update debit set amount = amount + 1',
  'a charge and an adjustment are posted once, as they are':
    'update charge set amount = amount + 1',
  'what is posted moves between the ledger accounts of its kind': `
    update ledger_transfer set debit_account = 'processors' ${ofPayment} and posting = 'payment'`,
  'what is posted on the account of a customer is in its currency':
    "update ledger_transfer set currency = 'EUR' where posting = 'charge'",
  'what was moved for no payment is a charge or an adjustment': `
    update ledger_transfer set payment_id = null ${ofPayment}`,
  'money pays what is owed on its own account': `
    update charge set account_id = (select id from account where id <> account_id limit 1)`,
  "an account's ledger is what it owes less its credit": `
    update ledger_transfer set amount = amount + 1 where posting = 'charge'`,
  'credit and what it could pay do not stand side by side': 'update credit set open_amount = 1',

  'each place in the feed names an event that is there, of its own account and client': `
    update event_feed set client_id = 'cli_x' ${ofPayment}`,
  'each event that is not about a payment has one place in the feed, or waits for it':
    "insert into other_event (id, type, data) values ('evt_x', 'card.removed', '{}')",
  'what waits for its place in the feed is an event': `
    insert into event_outbox (payment_id, sequence) values ($payment, 99)`,
  'what waits for its place among the postings was posted': `
    insert into posting_outbox (transfer_id) values ('txn_x')`,
  'what billing is to post was moved by a payment on the account of a customer': `
    update ledger_transfer set payment_id = null ${ofPayment}`,
  'a billing file has the details that it counts, numbered without holes, and their sum': `
    insert into billing_file
      (id, transaction_type, currency, total_amount, record_count, content, created_at)
    values ('bil_x', 'payment', 'GBP', 5, 1, '', now())`,
  'what was answered under a key is there': `
    insert into idempotency_key
      (client_id, key, fingerprint, resource_id, reply_status, reply_body)
    values ('cli_x', 'x', '', 'pay_x', 201, '{"id": "pay_x"}')`
}

/** What makes one of something late, by its name. */
export const delays: Readonly<Record<string, string>> = {
  'payments whose next step was due an hour ago': `update payment
    set next_attempt_at = now() - interval '2 hours' where status = 'pending'`,
  'payments that are pending an hour after their end, and were not given up': `update payment
    set expires_at = now() - interval '2 hours' where status = 'pending'`,
  'creates that nobody has finished for ten minutes': `insert into create_batch
    values ('{pay_x}', now() - interval '1 hour')`,
  'notifications that were to be applied ten minutes ago': `update notification
    set status = 'received', next_attempt_at = now() - interval '1 hour'
    where id = (select min(id) from notification)`,
  'notifications that nobody can apply': `update notification
    set status = 'parked', fault = 'x' where id = (select min(id) from notification)`,
  'events without a place in the feed for ten minutes': `insert into event_outbox
    (payment_id, sequence, created_at) values ($payment, 9, now() - interval '1 hour')`,
  'postings without a place for ten minutes': `insert into posting_outbox
    (transfer_id, created_at) values ('txn_x', now() - interval '1 hour')`
}
