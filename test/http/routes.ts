import type { Scope } from '../../src/clients/client.ts'

/**
 * A route that needs a key: with these ids and this body it gets past everything but its own work.
 */
export type Route = {
  method: string
  /** As the OpenAPI document has it. */
  template: string
  scope: Scope
  body?: unknown
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
  { method: 'GET', template: '/v1/accounts/{accountId}/entries', scope: 'accounts:read' },
  { method: 'GET', template: '/v1/notifications', scope: 'reconciliation:read' },
  { method: 'POST', template: '/v1/notifications/{id}/retry', scope: 'reconciliation:write' }
]

/** The path with ids that nothing has. */
export function pathOf({ template }: Route): string {
  return template.replace('{accountId}', '99999998').replace('{id}', 'xxx_0000000000000000')
}
