/** What a refund that is posted to TMF676 asks for. Pure. */
import type { Fault } from '../checkout/create.ts'
import type { RefundAsked } from '../lifecycle/refunds.ts'
import type { Payment } from '../payments/payment.ts'
import { readTmfMoney, type TmfMoney } from '../tmf/tmf-money.ts'
import { findBadText } from './bad-text.ts'
import { findCardSecrets } from './card-secrets.ts'
import { isOperatorId, operatorIdRule } from './tmf-payment-post.ts'

/** As the schema has let it pass, with its numbers as they were written. */
export type RefundPost = {
  account: { id: string }
  payment: { id: string }
  totalAmount: TmfMoney
  correlatorId?: string
  description?: string
  requestor?: { id: string }
}

/** `payment`: what it is of, where the sender sees it. All that is wrong at once. */
export function readRefundPost(
  post: RefundPost,
  payment: Payment | undefined
): { asked: Omit<RefundAsked, 'processor'>; faults: Fault[] } {
  const { account, totalAmount, description, requestor } = post
  const { id } = post.payment
  const faults: Fault[] = [...findCardSecrets(post), ...findBadText(post)]
  if (payment === undefined) {
    const detail = `No payment ${id} is known.`
    faults.push({ code: 'payment_not_found', pointer: '/payment/id', detail })
  } else if (String(payment.accountId) !== account.id) {
    const detail = `is not the account of payment ${id}`
    faults.push({ code: 'request_invalid', pointer: '/account/id', detail })
  }
  const read = readTmfMoney(totalAmount)
  const isRead = 'currency' in read
  if (!isRead) {
    const { code, at, detail } = read
    faults.push({ code, pointer: `/totalAmount${at}`, detail })
  }
  if (requestor !== undefined && !isOperatorId(requestor.id)) {
    faults.push({ code: 'request_invalid', pointer: '/requestor/id', detail: operatorIdRule })
  }
  const asked = {
    amount: isRead ? read : { currency: '', value: 0 },
    reason: description ?? null,
    operator: requestor === undefined ? null : { id: requestor.id },
    amountRefundable: null
  }
  return { asked, faults }
}
