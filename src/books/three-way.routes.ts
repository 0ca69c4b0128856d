import { readTime } from '../database-clock.ts'
import { ref } from '../http/common.schema.ts'
import { sendTable } from '../http/csv.plugin.ts'
import { Problem } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { dayMs } from './closing.ts'
import { compareThreeWays } from './three-way.commands.ts'
import { ThreeWayQuery, ThreeWaySchema } from './three-way.schema.ts'
import { balance } from './three-way.ts'
import { threeWayColumns, toThreeWayRows } from './three-way-columns.ts'

const longestDays = 31

export const threeWayRoutes: Routes<'reads' | 'merchantAccount'> = async (
  app,
  { reads, merchantAccount }
) => {
  app.get(
    '/v1/reconciliation/three-way',
    {
      schema: {
        operationId: 'reconcileThreeWays',
        summary: 'Compare the provider, the ledger and the billing system',
        description:
          'For what moved on the accounts of customers in a period of at most 31 days: what the ' +
          'provider settled of it and what billing posted of it, up to now, and why they differ. ' +
          'What the reports have beyond that is added by the time at which they were read.',
        tags: ['Postings'],
        querystring: ThreeWayQuery,
        response: { 200: ref(ThreeWaySchema) }
      },
      config: { scope: 'reconciliation:read', problems: [], csv: threeWayColumns }
    },
    async (request, reply) => {
      const period = readPeriod(request.query)
      const { from, to } = period
      const currencies = balance(await compareThreeWays(reads, period, merchantAccount))
      const view = { from: from.toISOString(), to: to.toISOString(), currencies }
      return await sendTable(request, reply, view, threeWayColumns, toThreeWayRows)
    }
  )
}

function readPeriod(query: { from?: string; to?: string }): { from: Date; to: Date } {
  const to = query.to === undefined ? readTime() : new Date(query.to)
  const from = query.from === undefined ? new Date(to.getTime() - dayMs) : new Date(query.from)
  const ms = to.getTime() - from.getTime()
  const detail =
    ms <= 0
      ? 'must be before the end of the period'
      : ms > longestDays * dayMs
        ? `must be at most ${longestDays} days before the end of the period`
        : undefined
  if (detail === undefined) return { from, to }
  const errors = [{ pointer: '/from', detail }]
  throw new Problem('request_invalid', 'The period can’t be reported.', { errors })
}
