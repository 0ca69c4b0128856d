/**
 * Where personal data of a customer can stand, and what an erasure leaves of it: every column that
 * can hold a text is named here, with what is put in its place or why it stays.
 */
import type { Database } from '../database/tables.ts'

/** Why a column keeps what it holds. */
export const reasonsToKeep = {
  id: 'The name of a record here, made by us or an account number: books and events rest on it',
  reference:
    'The name of a record elsewhere, by which accounting, settlement and disputes find it again: ' +
    'kept as long as the books are, and never to be personal',
  code: 'One of a few words, a currency, or a brand: it says nothing of a person',
  books: 'Amounts and what they belong to, which the law on accounts has us keep',
  staff: 'Who acted or decided, of those who work here',
  system: 'Of a client, an endpoint, the merchant or this service, and of no customer',
  proof: 'A hash, from which nothing can be read; it tells a repetition from another request',
  work: 'Of work that is due: gone when that is done'
} as const
type Reason = keyof typeof reasonsToKeep

export type TableFacts = {
  /** Names of columns, by why they keep what they hold. */
  kept: Partial<Record<Reason, string>>
  /** What stands in other columns after an erasure: SQL over the row, the same if done again. */
  erased?: Readonly<Record<string, string>>
  /**
   * Which rows are those of the account $1; needed where something is erased. A table that is
   * looked through is joined to others row by row, by a select of one value: as a join each of its
   * parts would read all of the other table.
   */
  rows?: string
  /** No index leads to them: the table is looked through from end to end, in short steps. */
  isLookedThrough?: true
}

const ofPayments = 'payment_id in (select id from payment where account_id = $1)'
const ofAccount = 'account_id = $1'

/** What the account's own requests are about, by the ids that stand in keys and notifications. */
const ownIds = `select id from payment where account_id = $1
  union all select id from operation where ${ofPayments}
  union all select id from card_registration where account_id = $1
  union all select id from discrepancy where ${ofPayments}
  union all select id from ledger_transfer where account_id = $1`

/** Under which the provider has reported of its payments. */
const providerReferences = `select reference from authorisation where ${ofPayments}
  union all select provider_reference from operation
    where provider_reference is not null and ${ofPayments}
  union all select reference from dispute where ${ofPayments}`

/** What the provider has reported of the account, its payments and its cards. */
export const ofNotifications = `(merchant_reference in (${ownIds})
  or merchant_reference = 'account-' || $1 and original_reference is null
  or psp_reference in (${providerReferences}) or original_reference in (${providerReferences}))`

const written = (column: string) => `case when ${column} is not null then 'erased' end`
const json = (column: string) => `without_personal(${column})`
/** Where a browser may go on to, and no more of the address. */
const origin = (column: string) => `substring(${column} from '^[a-z]+://[^/?#]*') || '/'`

const due = 'lease'

export const personalData: Readonly<Record<keyof Database, TableFacts>> = {
  account: {
    kept: { code: 'currency status' },
    erased: { name: 'null' },
    rows: 'id = $1'
  },
  adjustment: {
    kept: { id: 'id charge_id', reference: 'reference', code: 'direction' },
    erased: { reason: "'erased'" },
    rows: ofAccount
  },
  allocation: { kept: { id: 'transfer_id charge_id debit_transfer_id' } },
  api_key: { kept: { system: 'client_id prefix', proof: 'hash' } },
  api_key_use: { kept: { proof: 'hash' } },
  authorisation: {
    kept: {
      ...{ id: 'payment_id', reference: 'reference', books: 'reported' },
      code: 'currency outcome disposition'
    }
  },
  billing_file: { kept: { id: 'id', code: 'transaction_type currency', books: 'content' } },
  billing_posting: {
    kept: { id: 'id file_id', code: 'status' },
    erased: { reason: written('reason') },
    rows: 'id in (select id from ledger_transfer where account_id = $1)'
  },
  card: {
    kept: { id: 'id', code: 'brand funding', work: due },
    erased: {
      // The provider is asked to remove it by its token first; and a list of cards that it gave
      // before that must find it here, or it would be added once more.
      token: `case when next_attempt_at is null
        and not exists (
          select from card_sync
          where card_sync.account_id = card.account_id and lease is not null
        )
        then 'erased' else token end`,
      ...{ last_four: 'null', expiry_month: 'null', expiry_year: 'null' }
    },
    rows: `${ofAccount} and removed_at is not null`
  },
  card_registration: {
    kept: {
      ...{ id: 'id', system: 'client_id', reference: 'idempotency_key provider_session' },
      ...{ code: 'currency status', work: `provider_key ${due}` }
    },
    erased: {
      ...{ customer: 'null', return_url: origin('return_url'), name: written('name') },
      ...{ description: written('description'), checkout_url: written('checkout_url') },
      card_token: written('card_token')
    },
    rows: ofAccount
  },
  card_sync: { kept: { work: due } },
  charge: { kept: { id: 'id', reference: 'reference' } },
  client: { kept: { system: 'id name scopes return_origins oauth_subject' } },
  comparison_mark: { kept: {} },
  create_batch: { kept: { id: 'payment_ids' } },
  credit: { kept: { id: 'transfer_id' } },
  daily_closing: { kept: { books: 'postings settled' } },
  daily_comparison: { kept: { books: 'sums' } },
  debit: { kept: { id: 'transfer_id' } },
  discrepancy: {
    kept: { id: 'id payment_id', reference: 'fact', code: 'kind status resolution' },
    erased: {
      ...{ details: json('details'), operator: json('operator'), reason: written('reason') }
    },
    rows: ofPayments
  },
  dispute: {
    kept: {
      ...{ id: 'id payment_id', reference: 'reference also_reported_as' },
      code: 'currency status stage reason_code reported'
    },
    erased: { reason: written('reason') },
    rows: ofPayments
  },
  dispute_reminder: { kept: { id: 'dispute_id' } },
  erasure: { kept: { staff: 'asked_by', books: 'counts' } },
  event_feed: { kept: { id: 'payment_id event_id', code: 'type', system: 'client_id' } },
  event_outbox: { kept: { id: 'payment_id event_id' } },
  idempotency_key: {
    kept: {
      ...{ id: 'resource_id', system: 'client_id', reference: 'key', proof: 'fingerprint' },
      work: due
    },
    erased: { reply_body: json('reply_body') },
    rows: `(resource_id in (${ownIds}) or resource_id like 'ntf%'
      and (select true from notification where id = resource_id and ${ofNotifications} limit 1))`,
    isLookedThrough: true
  },
  latest_payment: { kept: { id: 'payment_id expected_id' } },
  ledger_transfer: {
    kept: {
      ...{ id: 'id payment_id cause_id', reference: 'fact' },
      code: 'debit_account credit_account currency posting cause_type'
    }
  },
  notification: {
    kept: {
      ...{ id: 'id', reference: 'psp_reference original_reference merchant_reference' },
      ...{ code: 'event_code currency status', system: 'merchant_account' },
      ...{ proof: 'fingerprint', work: due }
    },
    erased: {
      item: 'signed_part(item)',
      // Errors quote what they were about, and people say why they dismissed it: who did so stays.
      fault: `coalesce(substring(fault from 'Dismissed by [^:]+'), ${written('fault')})`
    },
    rows: ofNotifications,
    isLookedThrough: true
  },
  operation: {
    kept: {
      ...{ id: 'id payment_id', code: 'kind origin currency status' },
      reference: 'authorisation_reference processor provider_reference also_reported_as',
      work: `provider_key ${due}`
    },
    erased: {
      ...{ reason: written('reason'), operator: json('operator'), decision: json('decision') },
      ...{ failure: json('failure'), reported: json('reported') }
    },
    rows: ofPayments
  },
  other_event: {
    kept: { id: 'id', code: 'type', system: 'client_id' },
    erased: { data: json('data') },
    rows: ofAccount,
    isLookedThrough: true
  },
  page_return: { kept: { id: 'payment_id', work: `session_result ${due}` } },
  payment: {
    kept: {
      id: 'id registered_card_id',
      system: 'client_id processor_name',
      reference:
        'idempotency_key reference processor_reference authorisation_code ' +
        'authorisation_reference provider_session',
      code: 'channel method capture save_card currency status cancelled_by payment_methods',
      books: 'allocations settlement authentication',
      work: `provider_key ${due}`
    },
    erased: {
      ...{ description: written('description'), metadata: 'null', customer: 'null' },
      ...{ operator: json('operator'), card: json('card'), failure: json('failure') },
      ...{ return_url: origin('return_url'), checkout_url: 'null' },
      ...{ card_token: written('card_token'), redirect_result: written('redirect_result') }
    },
    rows: ofAccount
  },
  payment_event: {
    kept: { id: 'payment_id', code: 'type' },
    erased: { data: json('data'), payment: json('payment') },
    rows: ofPayments
  },
  posting_outbox: { kept: { id: 'transfer_id' } },
  settlement_content: { kept: { id: 'report_id', work: 'piece' } },
  settlement_line: {
    kept: {
      ...{ id: 'report_id payment_id record_id', proof: 'fact', system: 'merchant_account' },
      reference:
        'batch psp_reference merchant_reference modification_reference ' +
        'modification_merchant_reference',
      code: 'type meaning zone gross_currency net_currency record_type our_currency',
      books: 'booked_as'
    }
  },
  settlement_report: {
    kept: {
      ...{ id: 'id notification_id', proof: 'content_hash', work: due },
      ...{ code: 'origin kind status unknown_types unknown_zones', books: 'payouts' },
      system: 'file_name url unchecked_batches fault'
    }
  },
  settlement_staged: {
    kept: {
      id: 'report_id',
      proof: 'fact',
      work:
        'content merchant_account batch type meaning psp_reference merchant_reference ' +
        'modification_reference modification_merchant_reference booked_as zone gross_currency ' +
        'net_currency'
    }
  },
  tmf_post: {
    kept: {
      ...{ id: 'resource_id', code: 'kind', system: 'client_id', reference: 'correlator_id' },
      proof: 'fingerprint'
    },
    erased: { body: "'{}'" },
    rows: `resource_id in (${ownIds})`
  },
  webhook_attempt: {
    kept: { id: 'delivery_id', system: 'error' },
    erased: { response: written('response') },
    rows: `(select f.account_id
      from webhook_delivery d join event_feed f on f.position = d.position
      where d.id = delivery_id limit 1) = $1`,
    isLookedThrough: true
  },
  webhook_delivery: {
    kept: {
      ...{ id: 'id event_id payment_id', code: 'type status', system: 'endpoint_id' },
      work: due
    }
  },
  webhook_endpoint: {
    kept: {
      system:
        'id client_id url events description secret old_secret status disabled_reason format query'
    }
  }
}
