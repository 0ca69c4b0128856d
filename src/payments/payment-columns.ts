import type { Columns } from '../http/columns.ts'
import type { PaymentView } from './payment.schema.ts'

/** A payment as a row: amounts in minor units of `currency`. */
export const paymentColumns: Columns<PaymentView> = {
  id: ({ id }) => id,
  createdAt: ({ createdAt }) => createdAt,
  updatedAt: ({ updatedAt }) => updatedAt,
  finishedAt: ({ finishedAt }) => finishedAt,
  accountId: ({ accountId }) => accountId,
  status: ({ status }) => status,
  failureCode: ({ failure }) => failure?.code,
  channel: ({ channel }) => channel,
  method: ({ method }) => method,
  capture: ({ capture }) => capture,
  currency: ({ amount }) => amount.currency,
  amount: ({ amount }) => amount.value,
  amountCaptured: ({ amountCaptured }) => amountCaptured,
  amountRefunded: ({ amountRefunded }) => amountRefunded,
  amountChargedBack: ({ amountChargedBack }) => amountChargedBack,
  amountRefundable: ({ amountRefundable }) => amountRefundable,
  reference: ({ reference }) => reference,
  description: ({ description }) => description,
  operatorId: ({ operator }) => operator?.id,
  operatorReason: ({ operator }) => operator?.reason,
  cardBrand: ({ card }) => card?.brand,
  cardLastFour: ({ card }) => card?.lastFour,
  registeredCardId: ({ card }) => card?.registeredCardId,
  provider: ({ provider }) => provider.name,
  providerReference: ({ provider }) => provider.reference,
  settledAt: ({ settlement }) => settlement?.settledAt,
  settlementBatch: ({ settlement }) => settlement?.batch,
  settlementCurrency: ({ settlement }) => settlement?.currency,
  settlementGross: ({ settlement }) => settlement?.gross,
  settlementFees: ({ settlement }) => settlement?.fees,
  settlementNet: ({ settlement }) => settlement?.net,
  metadata: ({ metadata }) => metadata && JSON.stringify(metadata)
}
