import type { Scope } from '../../src/clients/client.ts'

/**
 * A route that needs a key: with these ids and this body it gets past everything but its own work.
 */
export type Route = {
  method: string
  /** As the OpenAPI document has it. */
  template: string
  scope: Scope
  body?: Record<string, unknown>
}

/** Every route that needs a key, and its scope: the table that a new route is added to. */
export const routes: readonly Route[] = [
  {
    method: 'POST',
    template: '/v1/payments',
    scope: 'payments:write',
    body: {
      accountId: '99999999',
      amount: { currency: 'GBP', value: 2500 },
      channel: 'selfcare',
      returnUrl: 'https://selfcare.example/paid'
    }
  },
  { method: 'GET', template: '/v1/payments', scope: 'payments:read' },
  { method: 'GET', template: '/v1/payments/{id}', scope: 'payments:read' },
  { method: 'GET', template: '/v1/payments/{id}/events', scope: 'payments:read' },
  { method: 'GET', template: '/v1/payments/{id}/receipt', scope: 'payments:read' },
  { method: 'GET', template: '/v1/disputes', scope: 'payments:read' },
  {
    method: 'POST',
    template: '/v1/payments/{id}/captures',
    scope: 'payments:write',
    body: { amount: { currency: 'GBP', value: 100 } }
  },
  { method: 'GET', template: '/v1/payments/{id}/captures', scope: 'payments:read' },
  { method: 'POST', template: '/v1/payments/{id}/cancellation', scope: 'payments:write', body: {} },
  {
    method: 'POST',
    template: '/v1/payments/{id}/refunds',
    scope: 'refunds:write',
    body: { amount: { currency: 'GBP', value: 100 } }
  },
  { method: 'GET', template: '/v1/payments/{id}/refunds', scope: 'payments:read' },
  { method: 'GET', template: '/v1/payments/{id}/disputes', scope: 'payments:read' },
  { method: 'GET', template: '/v1/refunds/{id}', scope: 'payments:read' },
  {
    method: 'POST',
    template: '/v1/refunds/{id}/approval',
    scope: 'refunds:approve',
    body: { operator: { id: 'supervisor-2' } }
  },
  {
    method: 'POST',
    template: '/v1/refunds/{id}/rejection',
    scope: 'refunds:approve',
    body: { operator: { id: 'supervisor-2' } }
  },
  {
    method: 'POST',
    template: '/v1/recorded-payments',
    scope: 'payments:write',
    body: {
      accountId: '99999999',
      amount: { currency: 'GBP', value: 2500 },
      channel: 'ivr',
      outcome: 'captured',
      processor: { name: 'ivr-platform', reference: 'A1' },
      takenAt: '2026-01-01T00:00:00Z'
    }
  },
  { method: 'GET', template: '/v1/events', scope: 'payments:read' },
  {
    method: 'PUT',
    template: '/v1/accounts/{accountId}',
    scope: 'accounts:write',
    body: { currency: 'GBP' }
  },
  { method: 'GET', template: '/v1/accounts/{accountId}', scope: 'accounts:read' },
  {
    method: 'POST',
    template: '/v1/accounts/{accountId}/charges',
    scope: 'accounts:write',
    body: {
      amount: { currency: 'GBP', value: 100 },
      reference: 'INV-1',
      dueAt: '2026-01-01T00:00:00Z'
    }
  },
  { method: 'GET', template: '/v1/accounts/{accountId}/charges', scope: 'accounts:read' },
  {
    method: 'PATCH',
    template: '/v1/accounts/{accountId}/charges/{chargeId}',
    scope: 'accounts:write',
    body: { inQuery: true }
  },
  {
    method: 'POST',
    template: '/v1/accounts/{accountId}/adjustments',
    scope: 'accounts:write',
    body: {
      amount: { currency: 'GBP', value: 100 },
      direction: 'credit',
      reference: 'ADJ-1',
      reason: 'Paid by bank transfer'
    }
  },
  { method: 'GET', template: '/v1/accounts/{accountId}/adjustments', scope: 'accounts:read' },
  { method: 'GET', template: '/v1/accounts/{accountId}/entries', scope: 'accounts:read' },
  { method: 'GET', template: '/v1/accounts/{accountId}/cards', scope: 'cards:read' },
  { method: 'DELETE', template: '/v1/accounts/{accountId}/cards/{cardId}', scope: 'cards:write' },
  {
    method: 'POST',
    template: '/v1/accounts/{accountId}/card-registrations',
    scope: 'cards:write',
    body: { returnUrl: 'https://selfcare.example/cards' }
  },
  {
    method: 'GET',
    template: '/v1/accounts/{accountId}/card-registrations/{registrationId}',
    scope: 'cards:read'
  },
  {
    method: 'POST',
    template: '/v1/webhook-endpoints',
    scope: 'webhooks:write',
    body: { url: 'https://93.184.215.14/events', events: ['*'] }
  },
  { method: 'GET', template: '/v1/webhook-endpoints', scope: 'webhooks:read' },
  { method: 'GET', template: '/v1/webhook-endpoints/{id}', scope: 'webhooks:read' },
  {
    method: 'PATCH',
    template: '/v1/webhook-endpoints/{id}',
    scope: 'webhooks:write',
    body: { status: 'enabled' }
  },
  { method: 'DELETE', template: '/v1/webhook-endpoints/{id}', scope: 'webhooks:write' },
  {
    method: 'POST',
    template: '/v1/webhook-endpoints/{id}/secret-rotation',
    scope: 'webhooks:write'
  },
  { method: 'POST', template: '/v1/webhook-endpoints/{id}/test', scope: 'webhooks:write' },
  {
    method: 'POST',
    template: '/v1/webhook-endpoints/{id}/replay',
    scope: 'webhooks:write',
    body: { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' }
  },
  { method: 'GET', template: '/v1/webhook-endpoints/{id}/deliveries', scope: 'webhooks:read' },
  { method: 'GET', template: '/v1/deliveries/{id}', scope: 'webhooks:read' },
  { method: 'POST', template: '/v1/deliveries/{id}/retry', scope: 'webhooks:write' },
  { method: 'POST', template: '/v1/settlement-reports', scope: 'reconciliation:write' },
  { method: 'GET', template: '/v1/settlement-reports', scope: 'reconciliation:read' },
  { method: 'GET', template: '/v1/settlement-reports/{id}', scope: 'reconciliation:read' },
  { method: 'GET', template: '/v1/discrepancies', scope: 'reconciliation:read' },
  { method: 'GET', template: '/v1/discrepancies/{id}', scope: 'reconciliation:read' },
  {
    method: 'POST',
    template: '/v1/discrepancies/{id}/resolution',
    scope: 'reconciliation:write',
    body: { resolution: 'acknowledged', reason: 'Looked into', operator: { id: 'finance-3' } }
  },
  { method: 'GET', template: '/v1/reconciliation/summary', scope: 'reconciliation:read' },
  { method: 'GET', template: '/v1/notifications', scope: 'reconciliation:read' },
  { method: 'POST', template: '/v1/notifications/{id}/retry', scope: 'reconciliation:write' },
  {
    method: 'POST',
    template: '/v1/notifications/{id}/dismissal',
    scope: 'reconciliation:write',
    body: { reason: 'Looked into', operator: { id: 'night-2' } }
  },
  { method: 'GET', template: '/v1/postings', scope: 'reconciliation:read' },
  { method: 'GET', template: '/v1/postings/{id}', scope: 'reconciliation:read' },
  {
    method: 'POST',
    template: '/v1/postings/{id}/acknowledgement',
    scope: 'reconciliation:write',
    body: { outcome: 'posted' }
  },
  {
    method: 'POST',
    template: '/v1/billing-files',
    scope: 'reconciliation:write',
    body: { currency: 'GBP', transactionType: 'payment' }
  },
  { method: 'GET', template: '/v1/billing-files', scope: 'reconciliation:read' },
  { method: 'GET', template: '/v1/billing-files/{id}', scope: 'reconciliation:read' },
  { method: 'GET', template: '/v1/billing-files/{id}/content', scope: 'reconciliation:read' },
  {
    method: 'POST',
    template: '/v1/billing-files/{id}/acknowledgement',
    scope: 'reconciliation:write',
    body: { outcome: 'posted' }
  },
  {
    method: 'POST',
    template: '/v1/billing-rejections',
    scope: 'reconciliation:write',
    body: {
      externalFileName: 'bil_0000000000000000',
      details: [
        {
          detailSequence: 1,
          hierarchyEntity: { accountId: 99999999 },
          transactionType: 'PAYMENT'
        }
      ]
    }
  },
  { method: 'GET', template: '/v1/reconciliation/three-way', scope: 'reconciliation:read' }
]

/** The path with ids that nothing has, or with `id` for each of them. */
export function pathOf({ template }: Route, id?: string): string {
  if (id !== undefined) return template.replaceAll(/\{\w+\}/g, id)
  return template.replace('{accountId}', '99999998').replace(/\{\w+\}/, 'xxx_0000000000000000')
}
