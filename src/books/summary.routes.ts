import { readTime } from '../database-clock.ts'
import { ref } from '../http/common.schema.ts'
import type { Routes } from '../service-context.ts'
import { SummaryQuery, SummarySchema } from './summary.schema.ts'
import { countDiscrepancies, sumPayouts, sumPostings, sumSettled } from './summary.store.ts'
import { toSummary, toSummaryView } from './summary.ts'

const dayMs = 24 * 60 * 60_000

export const summaryRoutes: Routes<'db' | 'merchantAccount'> = async (
  app,
  { db, merchantAccount }
) => {
  app.get(
    '/v1/reconciliation/summary',
    {
      schema: {
        operationId: 'getReconciliationSummary',
        summary: 'Get the summary of a day',
        description:
          'By currency: what moved the books and where it left them, and what the settlement ' +
          'reports that were read on the day say of the same facts. Today by default.',
        tags: ['Settlement'],
        querystring: SummaryQuery,
        response: { 200: ref(SummarySchema) }
      },
      config: { scope: 'reconciliation:read', problems: [] }
    },
    async (request) => {
      const date = request.query.date ?? readTime().toISOString().slice(0, 10)
      const from = new Date(`${date}T00:00:00Z`)
      const span = { from, to: new Date(from.getTime() + dayMs) }
      // One picture of the books: what is posted meanwhile is in all of it or in none.
      const transaction = db.transaction().setIsolationLevel('repeatable read')
      return await transaction.setAccessMode('read only').execute(async (tx) => {
        const postings = await sumPostings(tx, span)
        const settled = await sumSettled(tx, merchantAccount, span)
        const payouts = await sumPayouts(tx, merchantAccount, span)
        const discrepancies = await countDiscrepancies(tx, span)
        return toSummaryView(date, toSummary(postings, settled, payouts), discrepancies)
      })
    }
  )
}
