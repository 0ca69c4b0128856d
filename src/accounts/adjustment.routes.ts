import { PageQuery, ref } from '../http/common.schema.ts'
import { byId, sendPage } from '../http/cursor.ts'
import type { Routes } from '../service-context.ts'
import { getAccount } from './account.commands.ts'
import { AccountParams } from './account.schema.ts'
import { toAccountNumber } from './account-number.ts'
import { createAdjustment } from './adjustment.commands.ts'
import { AdjustmentPage, AdjustmentSchema, CreateAdjustment } from './adjustment.schema.ts'
import { listAdjustments } from './adjustment.store.ts'
import type { Adjustment, Direction } from './adjustment.ts'

export const adjustmentRoutes: Routes<'db' | 'reads'> = async (app, { db, reads }) => {
  app.post(
    '/v1/accounts/:accountId/adjustments',
    {
      schema: {
        operationId: 'createAdjustment',
        summary: 'Push an adjustment',
        description:
          'What the billing system settled elsewhere, also on a closed account. A credit pays ' +
          'charges; a debit takes credit back, then reopens charges. `reference` is its natural ' +
          'key, so that no Idempotency-Key is needed: the same content again answers 200 with ' +
          'the same adjustment.',
        tags: ['Accounts'],
        params: AccountParams,
        body: CreateAdjustment,
        response: { 200: ref(AdjustmentSchema), 201: ref(AdjustmentSchema) }
      },
      config: {
        scope: 'accounts:write',
        problems: [
          'account_not_known',
          'adjustment_conflict',
          'charge_not_found',
          'currency_mismatch',
          'amount_too_large',
          'amount_not_representable'
        ]
      }
    },
    async (request, reply) => {
      const { amount, direction, reference, reason, chargeId = null } = request.body
      const { adjustment, currency, created } = await createAdjustment(db, {
        accountId: toAccountNumber(request.params.accountId),
        amount: { currency: String(amount.currency), value: amount.value },
        direction: direction as Direction,
        reference,
        reason,
        chargeId
      })
      return reply.code(created ? 201 : 200).send(toAdjustmentView(adjustment, currency))
    }
  )

  app.get(
    '/v1/accounts/:accountId/adjustments',
    {
      schema: {
        operationId: 'listAdjustments',
        summary: 'List the adjustments of an account',
        description: 'Newest first.',
        tags: ['Accounts'],
        params: AccountParams,
        querystring: PageQuery,
        response: { 200: AdjustmentPage }
      },
      config: { scope: 'accounts:read', problems: ['account_not_known'] }
    },
    async (request, reply) => {
      const { id, currency } = await getAccount(reads, request.params.accountId)
      const find = (before: string | null, limit: number) =>
        listAdjustments(reads, id, { before, limit })
      const toView = (one: Adjustment) => toAdjustmentView(one, currency)
      return await sendPage(request, reply, find, toView, byId)
    }
  )
}

/** As the API shows it. */
export function toAdjustmentView(adjustment: Adjustment, currency: string) {
  const { id, accountId, amount, createdAt, direction, reference, reason, chargeId } = adjustment
  return {
    id,
    accountId: String(accountId),
    amount: { currency, value: amount },
    direction,
    reference,
    reason,
    chargeId,
    createdAt: createdAt.toISOString()
  }
}
