import { ref } from '../http/common.schema.ts'
import { sendGrowing } from '../http/csv.plugin.ts'
import { pageSize, readAfter } from '../http/cursor.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { acknowledgePosting } from './posting.commands.ts'
import {
  AcknowledgePosting,
  PostingPage,
  PostingParams,
  PostingQuery,
  PostingSchema
} from './posting.schema.ts'
import { findPosting, listPostings } from './posting.store.ts'
import { type PostingOutcome, toPostingView } from './posting.ts'
import { postingColumns } from './posting-columns.ts'

export const postingRoutes: Routes<'db' | 'reads' | 'providerName'> = async (app, deps) => {
  const { reads } = deps

  app.get(
    '/v1/postings',
    {
      schema: {
        operationId: 'listPostings',
        summary: 'List what payments moved on the accounts of customers',
        description:
          'What the billing system has to post: oldest first, in one order that never changes; ' +
          'one that is not shown yet comes after those that are. Ask again with `after`.',
        tags: ['Postings'],
        querystring: PostingQuery,
        response: { 200: PostingPage }
      },
      config: { scope: 'reconciliation:read', problems: [], csv: postingColumns }
    },
    async (request, reply) => {
      const { status, limit = pageSize } = request.query
      const after = readAfter(request.query.after)
      const find = (after: number, limit: number) => listPostings(reads, { status, after, limit })
      return await sendGrowing(
        request,
        reply,
        find,
        toPostingView,
        { after, limit },
        postingColumns
      )
    }
  )

  app.get(
    '/v1/postings/:id',
    {
      schema: {
        operationId: 'getPosting',
        summary: 'Get a posting',
        tags: ['Postings'],
        params: PostingParams,
        response: { 200: ref(PostingSchema) }
      },
      config: { scope: 'reconciliation:read', problems: ['posting_not_found'], etag: true }
    },
    async (request) => {
      const posting = await findPosting(reads, request.params.id)
      return toPostingView(found(posting, 'posting_not_found', 'No posting has this id.'))
    }
  )

  app.post(
    '/v1/postings/:id/acknowledgement',
    {
      schema: {
        operationId: 'acknowledgePosting',
        summary: 'Say what the billing system made of a posting',
        description:
          'The same outcome again changes nothing. A rejection opens the discrepancy ' +
          '`billing_rejected` of the payment; what was rejected may be posted after all. What is ' +
          'posted stays so.',
        tags: ['Postings'],
        params: PostingParams,
        body: AcknowledgePosting,
        response: { 200: ref(PostingSchema) }
      },
      config: {
        scope: 'reconciliation:write',
        idempotent: true,
        precondition: true,
        problems: ['posting_not_found', 'posting_acknowledged']
      }
    },
    async (request, reply) => {
      const { outcome, reason = null } = request.body
      const said = { outcome: outcome as PostingOutcome, reason }
      const answer = await acknowledgePosting(deps, claimOf(request), request.params.id, said)
      return sendSaved(reply, answer)
    }
  )
}
