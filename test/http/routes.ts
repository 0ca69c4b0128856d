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
  { method: 'GET', template: '/v1/notifications', scope: 'reconciliation:read' },
  { method: 'POST', template: '/v1/notifications/{id}/retry', scope: 'reconciliation:write' }
]

/** The path with ids that nothing has, or with `id` for each of them. */
export function pathOf({ template }: Route, id?: string): string {
  if (id !== undefined) return template.replaceAll(/\{\w+\}/g, id)
  return template.replace('{accountId}', '99999998').replace(/\{\w+\}/, 'xxx_0000000000000000')
}
