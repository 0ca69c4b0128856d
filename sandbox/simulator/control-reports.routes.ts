import type { FastifyInstance } from 'fastify'
import { accountingReport } from './accounting.ts'
import { adyenTime } from './clock.ts'
import type { Context } from './context.ts'
import { pick } from './control-views.ts'
import { newPspReference } from './identifiers.ts'
import type { Amount } from './money.ts'
import { notify } from './notify.ts'
import { type ReportFaults, settlementReport } from './settlement-details.ts'
import type { Payment, Report } from './state.ts'

type NewReport = {
  kind?: 'settlementDetails' | 'paymentAccounting'
  faults?: ReportFaults
  /** False: no webhook tells of it. */
  announce?: boolean
  /** Instead of the usual name: names of filtered reports hold colons. */
  fileName?: string
  /** The address that the webhook gives, if it is to be another. */
  url?: string
}
type Seed = { pspReference?: string; reference: string; amount: Amount }

/** Reports are made when they are asked for, and payments may be there from before. */
export function controlReportRoutes(app: FastifyInstance, context: Context): void {
  const { state } = context
  app.post<{ Body: NewReport | undefined }>('/reports', (request) => {
    const { kind, faults, announce = true, fileName: id, url } = request.body ?? {}
    const isAccounting = kind === 'paymentAccounting'
    const usual = isAccounting ? accountingReport(context) : settlementReport(context, faults)
    const report = id === undefined ? usual : rename(context, usual, id)
    if (announce) announceReport(context, report, url)
    const { id: fileName, batch, csv } = report
    return { fileName, batch, lines: csv.split('\n').length - 2, url: addressOf(context, report) }
  })

  /** As it is downloaded, without a key: to be uploaded by hand. */
  app.get<{ Params: { file: string } }>('/reports/:file', (request, reply) => {
    const report = pick(state.reports, request.params.file)
    if (report === undefined) return reply.code(404).send('Not Found')
    return reply.type('text/csv; charset=utf-8').send(report.csv)
  })

  app.post<{ Body: { payments: Seed[] } }>('/payments', (request) => {
    const payments = request.body.payments.map(toPayment)
    for (const payment of payments) state.payments.put(payment)
    return payments.map(({ id }) => id)
  })
}

/** A payment that was captured, of which no webhook tells. */
function toPayment({ pspReference = newPspReference(), reference, amount }: Seed): Payment {
  const at = new Date().toISOString()
  return {
    ...{ id: pspReference, createdAt: at, reference, amount, brand: 'visa', capturedAt: at },
    ...{ captureReference: newPspReference(), captureFailedAt: null, captureFails: false },
    ...{ refundFails: false, expiredAt: null, disputePspReference: null },
    ...{ disputed: [], modifications: [] }
  }
}

function rename({ state }: Context, report: Report, id: string): Report {
  const renamed = { ...report, id }
  state.reports.remove(report.id)
  state.reports.put(renamed)
  return renamed
}

function addressOf({ origin, merchantAccount }: Context, { id }: Report): string {
  return `${origin}/reports/download/MerchantAccount/${merchantAccount}/${id}`
}

/** Adyen's example: the file name is the pspReference, and the reason its address. */
function announceReport(context: Context, report: Report, url = addressOf(context, report)): void {
  const item = {
    eventCode: 'REPORT_AVAILABLE',
    success: 'true',
    eventDate: adyenTime(new Date()),
    merchantAccountCode: context.merchantAccount,
    pspReference: report.id,
    merchantReference: '',
    amount: { currency: 'EUR', value: 0 },
    reason: url
  }
  notify(context, item)
}
