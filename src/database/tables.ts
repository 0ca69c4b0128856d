/** Written by `npm run schema` from what the migrations make: change those, not this. */

import type { Generated, GeneratedAlways } from 'kysely'
import type { NotificationItem } from '../adyen/notification.ts'
import type { Scope } from '../clients/client.ts'
import type { Resolution } from '../discrepancies/discrepancy.ts'
import type { LedgerAccount, NamedAllocation, PostingKind } from '../ledger/ledger.ts'
import type { AuthorisationReport, Decision, Report } from '../lifecycle/model.ts'
import type { EventType } from '../payments/event.ts'
import type { Operator, Settlement } from '../payments/payment.ts'
import type { Authentication } from '../provider/authentication.ts'
import type { PageMethod } from '../provider/page-methods.ts'
import type { CardFace, Customer, DisputeEvent, Failure } from '../provider.ts'
import type { Meaning, SettlementLine } from '../settlement/settlement.ts'

/** Of a row in which work is due. */
type Due = {
  next_attempt_at: Date | null
  attempts: Generated<number>
  lease: string | null
  leased_until: Date | null
}

export type Database = {
  account: {
    id: number
    name: string | null
    currency: string
    status: 'open' | 'closed'
    created_at: Generated<Date>
    updated_at: Generated<Date>
  }
  adjustment: {
    id: string
    account_id: number
    charge_id: string | null
    reference: string
    direction: 'credit' | 'debit'
    amount: number
    reason: string
    created_at: Generated<Date>
  }
  allocation: {
    id: GeneratedAlways<number>
    account_id: number
    transfer_id: string
    charge_id: string | null
    debit_transfer_id: string | null
    amount: number
    created_at: Generated<Date>
  }
  api_key: {
    hash: Buffer
    client_id: string
    created_at: Generated<Date>
    expires_at: Date | null
    prefix: string | null
  }
  api_key_use: { hash: Buffer; last_used_at: Date }
  authorisation: {
    reference: string
    payment_id: string
    currency: string
    amount: number
    outcome: 'refused' | 'authorised'
    disposition: 'kept' | 'released' | 'reversing' | 'differs' | 'applied' | 'writtenOff' | null
    reported: Generated<AuthorisationReport[]>
    created_at: Generated<Date>
  }
  billing_file: {
    id: string
    transaction_type: 'payment' | 'refund'
    currency: string
    total_amount: number
    record_count: number
    content: string
    created_at: Date
  }
  billing_posting: {
    position: GeneratedAlways<number>
    id: string
    file_id: string | null
    file_sequence: number | null
    status: Generated<'open' | 'posted' | 'rejected'>
    reason: string | null
    acknowledged_at: Date | null
  }
  card: Due & {
    id: string
    account_id: number
    token: string
    brand: string | null
    last_four: string | null
    expiry_month: number | null
    expiry_year: number | null
    funding: string | null
    created_at: Generated<Date>
    removed_at: Date | null
  }
  card_registration: Due & {
    id: string
    client_id: string
    idempotency_key: string
    account_id: number
    currency: string
    return_url: string
    customer: Customer | null
    status: Generated<'pending' | 'completed' | 'refused' | 'failed'>
    provider_key: string
    provider_session: string | null
    checkout_url: string | null
    created_at: Generated<Date>
    expires_at: Date
    returned_at: Date | null
    finished_at: Date | null
    card_token: string | null
    name: string | null
    description: string | null
  }
  card_sync: Due & { account_id: number; looks: Generated<number> }
  charge: {
    id: string
    account_id: number
    reference: string
    amount: number
    open_amount: number
    in_query: Generated<boolean>
    due_at: Date
    created_at: Generated<Date>
  }
  client: {
    id: string
    name: string
    scopes: Scope[]
    third_party: Generated<boolean>
    return_origins: Generated<string[]>
    created_at: Generated<Date>
    revoked_at: Date | null
    oauth_subject: string | null
  }
  comparison_mark: { id: Generated<boolean>; until: Date }
  create_batch: { payment_ids: string[]; due_at: Date }
  credit: { transfer_id: string; account_id: number; amount: number; open_amount: number }
  daily_closing: { day: Date; postings: unknown; settled: unknown; closed_at: Generated<Date> }
  daily_comparison: { day: Date; sums: unknown }
  debit: { transfer_id: string; account_id: number; amount: number; open_amount: number }
  discrepancy: {
    id: string
    kind:
      | 'paid_after_end'
      | 'reversal_failed'
      | 'success_without_reference'
      | 'outcome_unknown'
      | 'amount_differs'
      | 'refund_and_chargeback'
      | 'refunded_beyond_captured'
      | 'recapture_unconfirmed'
      | 'reversal_amount_unknown'
      | 'possible_duplicate'
      | 'fraud_reported'
      | 'notification_not_understood'
      | 'settlement_missing'
      | 'settlement_unmatched'
      | 'settlement_doubled'
      | 'settlement_amount'
      | 'billing_rejected'
    fact: string
    payment_id: string | null
    details: Record<string, unknown>
    status: Generated<'open' | 'resolved'>
    resolution: Resolution | null
    reason: string | null
    operator: Operator | null
    created_at: Generated<Date>
    reopened_at: Date | null
    resolved_at: Date | null
  }
  dispute: {
    id: string
    payment_id: string
    reference: string
    also_reported_as: Generated<string[]>
    currency: string
    amount: number
    amount_charged_back: Generated<number>
    status: 'open' | 'won' | 'lost'
    stage:
      | 'informationRequest'
      | 'notification'
      | 'chargeback'
      | 'chargebackReversed'
      | 'secondChargeback'
      | 'preArbitration'
      | 'arbitration'
    reason: string | null
    reason_code: string | null
    reported: DisputeEvent[]
    created_at: Date
    updated_at: Date
    defend_by: Date | null
    closed_at: Date | null
  }
  dispute_reminder: {
    dispute_id: string
    days: 7 | 2
    created_at: Generated<Date>
    defend_by: Generated<Date | null>
  }
  erasure: {
    id: GeneratedAlways<number>
    account_id: number
    asked_by: string
    begun_at: Generated<Date>
    finished_at: Date | null
    counts: Generated<Record<string, number>>
  }
  event_feed: {
    position: GeneratedAlways<number>
    payment_id: string | null
    sequence: number | null
    event_id: string | null
    type: string
    account_id: number | null
    client_id: string | null
  }
  event_outbox: {
    payment_id: string | null
    sequence: number | null
    event_id: string | null
    next_attempt_at: Generated<Date>
    attempts: Generated<number>
    created_at: Generated<Date>
  }
  idempotency_key: Due & {
    client_id: string
    key: string
    fingerprint: Buffer
    resource_id: string
    reply_status: number | null
    reply_body: string | null
    created_at: Generated<Date>
  }
  latest_payment: {
    account_id: number
    amount: number
    payment_id: string
    expected_id: string | null
    created_at: Date
  }
  ledger_transfer: {
    id: string
    account_id: number
    payment_id: string | null
    debit_account: LedgerAccount
    credit_account: LedgerAccount
    currency: string
    amount: number
    posting: PostingKind
    fact: string
    cause_type: string
    cause_id: string
    created_at: Generated<Date>
  }
  notification: Due & {
    id: string
    fingerprint: Buffer
    event_code: string
    success: boolean
    psp_reference: string
    original_reference: string | null
    merchant_reference: string
    merchant_account: string
    currency: string | null
    amount: number
    live: boolean
    item: NotificationItem
    status: 'received' | 'applied' | 'ignored' | 'waiting' | 'parked' | 'foreign'
    fault: string | null
    received_at: Generated<Date>
    applied_at: Date | null
  }
  operation: Due & {
    id: string
    kind: 'capture' | 'cancellation' | 'refund' | 'reversal'
    payment_id: string
    authorisation_reference: string | null
    origin: Generated<'client' | 'provider'>
    reason: string | null
    operator: Operator | null
    decision: Decision | null
    processor: { name: string; reference: string } | null
    currency: string
    amount: number
    status: 'awaitingApproval' | 'requested' | 'succeeded' | 'failed' | 'rejected'
    failure: Failure | null
    provider_key: string | null
    provider_reference: string | null
    also_reported_as: Generated<string[]>
    reported: Generated<Report[]>
    created_at: Generated<Date>
    updated_at: Generated<Date>
    first_tried_at: Date | null
  }
  other_event: {
    id: string
    type: string
    account_id: number | null
    client_id: string | null
    data: Record<string, unknown>
    created_at: Generated<Date>
  }
  page_return: Due & { payment_id: string; session_result: string; returned_at: Generated<Date> }
  payment: Due & {
    id: string
    client_id: string
    idempotency_key: string | null
    account_id: number
    channel: 'selfcare' | 'ivr' | 'agent' | 'service'
    method: 'hostedPage' | 'paymentLink' | 'registeredCard' | 'recorded'
    reference: string | null
    description: string | null
    metadata: Record<string, string> | null
    customer: Customer | null
    operator: Operator | null
    capture: 'automatic' | 'manual'
    save_card: 'never' | 'ask' | 'always'
    return_url: string | null
    registered_card_id: string | null
    card_token: string | null
    processor_name: string | null
    processor_reference: string | null
    authorisation_code: string | null
    taken_at: Date | null
    currency: string
    amount: number
    amount_authorised: Generated<number>
    amount_captured: Generated<number>
    amount_refunding: Generated<number>
    amount_refunded: Generated<number>
    amount_charged_back: Generated<number>
    allocations: NamedAllocation[] | null
    settlement: Settlement | null
    status: 'pending' | 'authorised' | 'captured' | 'refused' | 'cancelled' | 'expired' | 'failed'
    cancelled_by: 'customer' | 'client' | null
    failure: Failure | null
    card: CardFace | null
    authorisation_reference: string | null
    event_count: Generated<number>
    provider_key: string | null
    provider_session: string | null
    checkout_url: string | null
    reported_paid_at: Date | null
    redirect_result: string | null
    returned_at: Date | null
    created_at: Generated<Date>
    updated_at: Generated<Date>
    expires_at: Date
    finished_at: Date | null
    payment_methods: PageMethod[] | null
    authentication: Authentication | null
  }
  payment_event: {
    payment_id: string
    sequence: number
    type: EventType
    data: Record<string, unknown>
    payment: unknown
    created_at: Generated<Date>
  }
  posting_outbox: {
    transfer_id: string
    next_attempt_at: Generated<Date>
    attempts: Generated<number>
    created_at: Generated<Date>
  }
  settlement_content: { report_id: string; number: number; piece: Buffer }
  settlement_line: {
    id: GeneratedAlways<number>
    report_id: string
    line: number
    fact: Buffer
    occurrence: number
    merchant_account: string
    batch: string
    type: string
    meaning: Meaning
    psp_reference: string | null
    merchant_reference: string | null
    modification_reference: string | null
    modification_merchant_reference: string | null
    booked_as: string
    zone: string
    booked_at: Date | null
    gross_currency: string
    gross: number
    net_currency: string
    net: number
    fees: number
    payment_id: string | null
    record_type: string | null
    record_id: string | null
    our_currency: string | null
    ours: number | null
    created_at: Generated<Date>
    matched_at: Date | null
    settled_at: Date | null
    other_fees: Generated<number>
    fees_named: Generated<boolean>
  }
  settlement_report: Due & {
    id: string
    origin: 'upload' | 'provider'
    kind: 'settlementDetails' | 'paymentAccounting' | null
    file_name: string | null
    url: string | null
    notification_id: string | null
    content_hash: Buffer | null
    size: Generated<number>
    lines: Generated<number>
    applied: Generated<number>
    matched: Generated<number>
    discrepancies: Generated<number>
    unknown_types: Generated<string[]>
    unchecked_batches: Generated<string[]>
    status: 'uploading' | 'awaitingUpload' | 'received' | 'processing' | 'done' | 'refused'
    fault: string | null
    created_at: Generated<Date>
    staged_at: Date | null
    booked_until: Date | null
    finished_at: Date | null
    unknown_zones: Generated<string[]>
    payouts: Generated<Record<string, string>>
    read_at: Date | null
  }
  settlement_staged: {
    report_id: string
    line: number
    fact: Buffer
    content: SettlementLine | null
    is_ours: boolean | null
    is_repeated: boolean | null
    merchant_account: string | null
    batch: string | null
    type: string | null
    meaning: string | null
    psp_reference: string | null
    merchant_reference: string | null
    modification_reference: string | null
    modification_merchant_reference: string | null
    booked_as: string | null
    zone: string | null
    booked_at: Date | null
    booked_from: Date | null
    settled_at: Date | null
    gross_currency: string | null
    gross: number | null
    net_currency: string | null
    net: number | null
    fees: number | null
    other_fees: number | null
    fees_named: boolean | null
  }
  tmf_post: {
    resource_id: string
    kind: 'payment' | 'refund'
    client_id: string
    correlator_id: string | null
    fingerprint: Buffer
    body: string
    created_at: Generated<Date>
  }
  webhook_attempt: {
    delivery_id: string
    number: number
    started_at: Date
    duration_ms: number
    http_status: number | null
    error: string | null
    response: string | null
  }
  webhook_delivery: {
    id: Generated<string>
    endpoint_id: string
    term: Generated<number>
    position: number | null
    event_id: string
    type: string
    payment_id: string | null
    sequence: number | null
    status: Generated<'pending' | 'delivered' | 'failed'>
    attempts_made: Generated<number>
    next_attempt_at: Generated<Date | null>
    attempts: Generated<number>
    lease: string | null
    leased_until: Date | null
    created_at: Generated<Date>
    started_at: Generated<Date>
    delivered_at: Date | null
  }
  webhook_endpoint: {
    id: string
    client_id: string
    url: string
    events: string[]
    description: string | null
    secret: string | null
    old_secret: string | null
    old_secret_until: Date | null
    status: Generated<'enabled' | 'disabled'>
    disabled_reason: 'client' | 'failing' | 'gone' | null
    term: Generated<number>
    failing_since: Date | null
    stopped_at: Date | null
    created_at: Generated<Date>
    deleted_at: Date | null
    format: Generated<'standard' | 'cloudevents' | 'tmf676'>
    query: string | null
  }
}
