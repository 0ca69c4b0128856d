import type { FastifyInstance } from 'fastify'
import type { Context } from './context.ts'

/** https://docs.adyen.com/reporting/automatically-get-reports, mounted under /reports/download. */
export function reportRoutes({ apiKey, reportUser, merchantAccount, state }: Context) {
  return async (app: FastifyInstance): Promise<void> => {
    app.get<{ Params: { account: string; file: string } }>(
      '/MerchantAccount/:account/:file',
      (request, reply) => {
        const { authorization = '', 'x-api-key': key } = request.headers
        const basic = Buffer.from(authorization.replace(/^Basic /, ''), 'base64').toString('utf8')
        const isAllowed = reportUser === null ? key === apiKey : basic === reportUser
        if (!isAllowed) return reply.code(401).send('Unauthorized')
        const { account, file } = request.params
        const report = account === merchantAccount ? state.reports.get(file) : undefined
        if (report === undefined) return reply.code(404).send('Not Found')
        return reply.type('text/csv; charset=utf-8').send(report.csv)
      }
    )
  }
}
