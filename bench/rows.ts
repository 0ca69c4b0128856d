/** What is measured in rounds, as data. */
import type { Operation } from './operations.ts'

export type Row = {
  /** What `--only` takes; its beginning, up to a hyphen, means all that begin so. */
  id: string
  name: string
  operation: Operation
  connections: number
  /** Whether the floor can do it as well. */
  hasFloor: boolean
  /** How long Adyen takes to answer, ms; at once unless given. */
  adyenMs?: number
  /** Instances behind the balancer; by default one, and no balancer. */
  instances?: 2
  /** Of a list: the page, counted from 1; each has 20 payments. */
  page?: number
  goals?: {
    /** Requests a second, of the floor's. */
    rate?: number
    /** CPU of server and PostgreSQL a request, of the floor's. */
    cpu?: number
    /** p50 beyond the floor's, ms. */
    addedMs?: number
    /** Statements a request. */
    statements?: number
    /** Log of writes a request, bytes. */
    walBytes?: number
  }
}

export const rows: readonly Row[] = [
  {
    ...{ id: 'create-16', name: 'create', operation: 'create', connections: 16, hasFloor: true },
    goals: { rate: 1.0, walBytes: 2_048 }
  },
  {
    ...{ id: 'create-64', name: 'create', operation: 'create', connections: 64, hasFloor: true },
    goals: { rate: 1.2, cpu: 1.0, statements: 0.5 }
  },
  {
    ...{ id: 'create-slow', name: 'create, 200 ms at Adyen', operation: 'create' },
    ...{ connections: 100, hasFloor: true, adyenMs: 200 },
    goals: { rate: 0.95, addedMs: 10 }
  },
  {
    ...{ id: 'create-two', name: 'create, two instances', operation: 'create' },
    ...{ connections: 64, hasFloor: true, instances: 2 }
  },
  {
    ...{ id: 'read-16', name: 'read by id', operation: 'read', connections: 16, hasFloor: true },
    goals: { rate: 1.0 }
  },
  {
    ...{ id: 'read-64', name: 'read by id', operation: 'read', connections: 64, hasFloor: true },
    goals: { rate: 1.5 }
  },
  {
    ...{ id: 'webhook-16', name: 'webhook in, until applied', operation: 'webhook' },
    ...{ connections: 16, hasFloor: true },
    goals: { rate: 0.8 }
  },
  {
    ...{ id: 'webhook-64', name: 'webhook in, until applied', operation: 'webhook' },
    ...{ connections: 64, hasFloor: true },
    goals: { rate: 1.2 }
  },
  {
    ...{ id: 'replay', name: 'create again, same key', operation: 'replay' },
    ...{ connections: 16, hasFloor: false }
  },
  {
    ...{ id: 'list-first', name: 'list, first page', operation: 'list' },
    ...{ connections: 16, hasFloor: false, page: 1 }
  },
  {
    ...{ id: 'list-deep', name: 'list, page 1,000', operation: 'list' },
    ...{ connections: 16, hasFloor: false, page: 1_000 }
  }
]
