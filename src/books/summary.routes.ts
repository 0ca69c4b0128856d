import { readTime } from '../database-clock.ts'
import { ref } from '../http/common.schema.ts'
import { sendTable } from '../http/csv.plugin.ts'
import type { Routes } from '../service-context.ts'
import { readSummary } from './summary.commands.ts'
import { SummaryQuery, SummarySchema } from './summary.schema.ts'
import { summaryColumns, toSummaryRows } from './summary-columns.ts'

export const summaryRoutes: Routes<'reads' | 'merchantAccount'> = async (
  app,
  { reads, merchantAccount }
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
      config: { scope: 'reconciliation:read', problems: [], csv: summaryColumns }
    },
    async (request, reply) => {
      const date = request.query.date ?? readTime().toISOString().slice(0, 10)
      const summary = await readSummary(reads, merchantAccount, date)
      return await sendTable(request, reply, summary, summaryColumns, toSummaryRows)
    }
  )
}
