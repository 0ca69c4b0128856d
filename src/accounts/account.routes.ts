import { visibleTo } from '../clients/client.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { PageQuery, ref } from '../http/common.schema.ts'
import { sendList } from '../http/csv.plugin.ts'
import { byId, sendPage } from '../http/cursor.ts'
import { preconditionOf } from '../http/etag.plugin.ts'
import { checkPrecondition, etagOf } from '../http/precondition.ts'
import { type Entry, listEntries } from '../ledger/ledger.store.ts'
import type { Routes } from '../service-context.ts'
import { changeCharge, createCharge, getAccount, putAccount } from './account.commands.ts'
import {
  AccountParams,
  AccountSchema,
  ChangeCharge,
  ChargePage,
  ChargeParams,
  ChargeSchema,
  CreateCharge,
  EntryPage,
  ListChargesQuery,
  PutAccount
} from './account.schema.ts'
import { findBalance, listCharges } from './account.store.ts'
import type { Account, Balance } from './account.ts'
import { toAccountNumber } from './account-number.ts'
import type { Charge } from './charge.ts'
import { entryColumns } from './entry-columns.ts'

export const accountRoutes: Routes<'db' | 'reads'> = async (app, { db, reads }) => {
  app.put(
    '/v1/accounts/:accountId',
    {
      schema: {
        operationId: 'putAccount',
        summary: 'Push an account',
        description: 'Makes it known, or brings name and status up to date. Idempotent by nature.',
        tags: ['Accounts'],
        params: AccountParams,
        body: PutAccount,
        response: { 200: ref(AccountSchema), 201: ref(AccountSchema) }
      },
      config: {
        scope: 'accounts:write',
        precondition: true,
        problems: ['account_not_known', 'account_currency_fixed']
      }
    },
    async (request, reply) => {
      const id = toAccountNumber(request.params.accountId)
      const { currency, name, status } = request.body
      const pushed = {
        id,
        currency: String(currency),
        ...(name !== undefined && { name }),
        ...(status !== undefined && { status: status as Account['status'] })
      }
      const precondition = preconditionOf(request)
      const { account, created } = await putAccount(db, pushed, async (tx, known) => {
        const shown = known && toAccountView(known, await findBalance(tx, id))
        checkPrecondition(precondition, shown && etagOf(JSON.stringify(shown)))
      })
      return reply.code(created ? 201 : 200).send(toAccountView(account, await findBalance(db, id)))
    }
  )

  app.get(
    '/v1/accounts/:accountId',
    {
      schema: {
        operationId: 'getAccount',
        summary: 'Get an account and its balance',
        tags: ['Accounts'],
        params: AccountParams,
        response: { 200: ref(AccountSchema) }
      },
      config: { scope: 'accounts:read', problems: ['account_not_known'], etag: true }
    },
    async (request) => {
      const account = await getAccount(reads, request.params.accountId)
      return toAccountView(account, await findBalance(reads, account.id))
    }
  )

  app.post(
    '/v1/accounts/:accountId/charges',
    {
      schema: {
        operationId: 'createCharge',
        summary: 'Push a charge',
        description:
          'What the customer owes, such as an invoice. `reference` is its natural key, so that ' +
          'no Idempotency-Key is needed: the same content again answers 200 with the same charge.',
        tags: ['Accounts'],
        params: AccountParams,
        body: CreateCharge,
        response: { 200: ref(ChargeSchema), 201: ref(ChargeSchema) }
      },
      config: {
        scope: 'accounts:write',
        problems: [
          'account_not_known',
          'account_closed',
          'charge_conflict',
          'currency_mismatch',
          'amount_too_large',
          'amount_not_representable'
        ]
      }
    },
    async (request, reply) => {
      const { amount, reference, dueAt } = request.body
      const { charge, currency, created } = await createCharge(db, {
        accountId: toAccountNumber(request.params.accountId),
        reference,
        amount: { currency: String(amount.currency), value: amount.value },
        dueAt: new Date(dueAt)
      })
      return reply.code(created ? 201 : 200).send(toChargeView(charge, currency))
    }
  )

  app.patch(
    '/v1/accounts/:accountId/charges/:chargeId',
    {
      schema: {
        operationId: 'changeCharge',
        summary: 'Put a charge in query, or end its query',
        description:
          'A charge in query keeps what has paid it and is passed over by money that does not ' +
          'name it; when the query ends, credit is matched to it at once. Idempotent by nature.',
        tags: ['Accounts'],
        params: ChargeParams,
        body: ChangeCharge,
        response: { 200: ref(ChargeSchema) }
      },
      config: { scope: 'accounts:write', problems: ['account_not_known', 'charge_not_known'] }
    },
    async (request) => {
      const { charge, currency } = await changeCharge(db, {
        accountId: toAccountNumber(request.params.accountId),
        chargeId: request.params.chargeId,
        inQuery: request.body.inQuery
      })
      return toChargeView(charge, currency)
    }
  )

  app.get(
    '/v1/accounts/:accountId/charges',
    {
      schema: {
        operationId: 'listCharges',
        summary: 'List the charges of an account',
        description: 'Newest first.',
        tags: ['Accounts'],
        params: AccountParams,
        querystring: ListChargesQuery,
        response: { 200: ChargePage }
      },
      config: { scope: 'accounts:read', problems: ['account_not_known'] }
    },
    async (request, reply) => {
      const account = await getAccount(reads, request.params.accountId)
      const { status } = request.query
      const find = (before: string | null, limit: number) =>
        listCharges(reads, account.id, { status, before, limit })
      const toView = (charge: Charge) => toChargeView(charge, account.currency)
      return await sendPage(request, reply, find, toView, byId)
    }
  )

  app.get(
    '/v1/accounts/:accountId/entries',
    {
      schema: {
        operationId: 'listEntries',
        summary: 'List the ledger of an account',
        description:
          'Newest first, append-only. Every transfer shows its debit and its credit, so that the ' +
          'entries of one `id` before its dot add up to nothing.',
        tags: ['Accounts'],
        params: AccountParams,
        querystring: PageQuery,
        response: { 200: EntryPage }
      },
      config: { scope: 'accounts:read', problems: ['account_not_known'], csv: entryColumns }
    },
    async (request, reply) => {
      const { id } = await getAccount(reads, request.params.accountId)
      const clientId = visibleTo(clientOf(request))
      const find = (after: string | null, limit: number) => {
        const [transferId = '', direction = ''] = after?.split('.') ?? []
        const position = after === null ? null : { transferId, direction }
        return listEntries(reads, id, clientId, position, limit)
      }
      return await sendList(request, reply, find, toEntryView, byEntry, entryColumns)
    }
  )
}

const byEntry = {
  positionOf: ({ transferId, direction }: Entry) => `${transferId}.${direction}`,
  pattern: /^\w{1,80}\.\w{1,10}$/
}

/** As the API shows it, in minor units of its currency. */
export function toAccountView({ id, currency, name, status }: Account, balance: Balance) {
  const money = (value: number) => ({ currency, value })
  return {
    id: String(id),
    currency,
    name,
    status,
    balance: {
      outstanding: money(balance.outstanding),
      overdue: money(balance.overdue),
      inQuery: money(balance.inQuery),
      credit: money(balance.credit)
    }
  }
}

/** As the API shows it. */
export function toChargeView(charge: Charge, currency: string) {
  return {
    id: charge.id,
    amount: { currency, value: charge.amount },
    openAmount: charge.openAmount,
    inQuery: charge.inQuery,
    reference: charge.reference,
    dueAt: charge.dueAt.toISOString(),
    status: charge.openAmount > 0 ? ('open' as const) : ('paid' as const),
    createdAt: charge.createdAt.toISOString()
  }
}

/** As the API shows it. */
export function toEntryView(entry: Entry) {
  return {
    id: byEntry.positionOf(entry),
    createdAt: entry.createdAt.toISOString(),
    account: entry.account,
    amount: { currency: entry.currency, value: entry.amount },
    direction: entry.direction,
    cause: { type: entry.causeType, id: entry.causeId },
    paymentId: entry.paymentId
  }
}
