import type { Context } from './context.ts'
import { entriesOf } from './journal.ts'
import { accountsOf, toCsv, toMajor, toReportTime } from './settlement-details.ts'
import type { Payment, Report } from './state.ts'
import { spelled, variantOf } from './wallets.ts'

/** The payment accounting report, as open-source parsers have its header. */
const COLUMNS = (
  'Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,' +
  'Payment Method Variant,Booking Date,TimeZone,Record Type,Modification Psp Reference,' +
  'Main Currency,Main Amount,Payment Currency,Received (PC),Exchange Rate,Authorised (PC),' +
  'Captured (PC),Settlement Currency,Payable (SC),Commission (SC),Markup (SC),Scheme Fees (SC),' +
  'Interchange (SC),Processing Fee Currency,Processing Fee (FC),Modification Merchant Reference'
).split(',')

const RECORD_TYPES: Record<string, string> = { Settled: 'SentForSettle', Refunded: 'SentForRefund' }

/** Every status change of every payment that is known: one line each. */
export function accountingReport(context: Context): Report {
  const createdAt = new Date().toISOString()
  const rows = context.state.payments.all().flatMap((payment) => [
    line(context, payment, 'Received', payment),
    line(context, payment, 'Authorised', payment),
    ...entriesOf(context, payment).map(({ type, amount, at, pspReference, merchantReference }) =>
      line(context, payment, RECORD_TYPES[type] ?? type, {
        ...{ amount, createdAt: at, id: pspReference, reference: merchantReference }
      })
    )
  ])
  const day = createdAt.slice(0, 10).replaceAll('-', '_')
  const id = `payments_accounting_report_${day}.csv`
  const report = { id, createdAt, kind: 'paymentAccounting', batch: 0, csv: toCsv(COLUMNS, rows) }
  context.state.reports.put(report)
  return report
}

type Change = Pick<Payment, 'amount' | 'createdAt' | 'id' | 'reference'>

function line({ merchantAccount }: Context, payment: Payment, type: string, change: Change) {
  const { amount, createdAt, id, reference } = change
  const isModification = id !== payment.id
  return {
    ...accountsOf(merchantAccount),
    'Psp Reference': payment.id,
    'Merchant Reference': payment.reference,
    'Payment Method': spelled(payment),
    'Payment Method Variant': variantOf(payment),
    'Booking Date': toReportTime(createdAt),
    TimeZone: 'UTC',
    'Record Type': type,
    'Modification Psp Reference': isModification ? id : '',
    'Modification Merchant Reference': isModification ? reference : '',
    'Main Currency': amount.currency,
    'Main Amount': toMajor(amount),
    'Payment Currency': payment.amount.currency
  }
}
