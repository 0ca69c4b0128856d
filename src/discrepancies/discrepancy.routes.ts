import { IdParams, ref } from '../http/common.schema.ts'
import { sendList } from '../http/csv.plugin.ts'
import { byId, readCreatedRange } from '../http/cursor.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import {
  DiscrepancyPage,
  DiscrepancySchema,
  ListDiscrepanciesQuery,
  ResolveDiscrepancy
} from './discrepancy.schema.ts'
import { findDiscrepancy, listDiscrepancies } from './discrepancy.store.ts'
import { discrepancyETag, toDiscrepancyView } from './discrepancy.ts'
import { discrepancyColumns } from './discrepancy-columns.ts'
import { resolveDiscrepancy } from './resolution.commands.ts'

export const discrepancyRoutes: Routes = async (app, deps) => {
  const { reads } = deps

  app.get(
    '/v1/discrepancies',
    {
      schema: {
        operationId: 'listDiscrepancies',
        summary: 'List where two truths disagree',
        description: 'Newest first, with what either side says and what may be decided.',
        tags: ['Settlement'],
        querystring: ListDiscrepanciesQuery,
        response: { 200: DiscrepancyPage }
      },
      config: { scope: 'reconciliation:read', problems: [], csv: discrepancyColumns }
    },
    async (request, reply) => {
      const { kind, status, paymentId } = request.query
      const filter = { kind, status, paymentId, ...readCreatedRange(request.query) }
      const find = (before: string | null, limit: number) =>
        listDiscrepancies(reads, { ...filter, before, limit })
      return await sendList(request, reply, find, toDiscrepancyView, byId, discrepancyColumns)
    }
  )

  app.get(
    '/v1/discrepancies/:id',
    {
      schema: {
        operationId: 'getDiscrepancy',
        summary: 'Get a discrepancy',
        tags: ['Settlement'],
        params: IdParams,
        response: { 200: ref(DiscrepancySchema) }
      },
      config: { scope: 'reconciliation:read', problems: ['discrepancy_not_found'], etag: true }
    },
    async (request, reply) => {
      const { id } = request.params
      const discrepancy = await findDiscrepancy(reads, id)
      const known = found(discrepancy, 'discrepancy_not_found', 'No discrepancy has this id.')
      reply.header('etag', discrepancyETag(known))
      return toDiscrepancyView(known)
    }
  )

  app.post(
    '/v1/discrepancies/:id/resolution',
    {
      schema: {
        operationId: 'resolveDiscrepancy',
        summary: 'Resolve a discrepancy',
        description:
          'Once, by one of its `resolutions`. What it moves is a ledger entry or an event of the ' +
          'payment; what was found stays as it is.',
        tags: ['Settlement'],
        params: IdParams,
        body: ResolveDiscrepancy,
        response: { 200: ref(DiscrepancySchema) }
      },
      config: {
        scope: 'reconciliation:write',
        idempotent: true,
        precondition: true,
        problems: [
          'discrepancy_not_found',
          'discrepancy_resolved',
          'resolution_not_allowed',
          'payment_disputed'
        ]
      }
    },
    async (request, reply) => {
      const { id } = request.params
      const answer = await resolveDiscrepancy(deps, claimOf(request), id, request.body)
      return sendSaved(reply, answer)
    }
  )
}
