import { Type } from 'typebox'
import { visibleTo } from '../clients/client.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { IdParams } from '../http/common.schema.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { shown, tmfFieldsQuery, tmfListQuery } from '../tmf/tmf.schema.ts'
import { sendTmfList } from '../tmf/tmf-list.ts'
import { readTmfPage, wantedOf } from '../tmf/tmf-look-through.ts'
import { tmfPaths } from '../tmf/tmf-paths.ts'
import { readTmfFields, readTmfQuery, selectFields } from '../tmf/tmf-query.ts'
import { BillingAccountSchema } from './billing-account.schema.ts'
import { countAccounts, listBillingAccounts } from './billing-account.store.ts'
import { accountFilters, type BillingAccount, toBillingAccount } from './billing-account.ts'

export const billingAccountRoutes: Routes<'reads' | 'publicUrl'> = async (app, deps) => {
  const { reads, publicUrl } = deps
  const toView = (account: BillingAccount) => toBillingAccount(account, publicUrl)

  app.get(
    `${tmfPaths.accounts}/billingAccount`,
    {
      schema: {
        operationId: 'listBillingAccount',
        summary: 'List accounts with their balances',
        description:
          'By number. Those of some numbers by `id=1,2`, which a third party has to name; other ' +
          'filters look through the first 1,000 accounts: where that does not fill the page and ' +
          'there are more, it is 400.',
        tags: ['billingAccount'],
        response: { 200: Type.Array(shown(BillingAccountSchema)) }
      },
      config: {
        scope: 'accounts:read',
        problems: [],
        documentedQuery: tmfListQuery(accountFilters.described)
      }
    },
    async (request, reply) => {
      const query = readTmfQuery(request.query, accountFilters.kinds)
      const { filters } = query
      const named = wantedOf(filters, 'id')?.filter(isAccountNumber).map(Number)
      // As at /v1, where nobody leafs through them: a third party knows whose account it asks for.
      const ids = named ?? (visibleTo(clientOf(request)) === null ? null : [])
      const page = await readTmfPage(query, filters, {
        read: (slice) => listBillingAccounts(reads, ids, slice),
        count: (most) => countAccounts(reads, ids, most),
        toViews: (some) => some.map(toView),
        narrowers: ['id']
      })
      return sendTmfList(request.url, reply, query, page)
    }
  )

  app.get(
    `${tmfPaths.accounts}/billingAccount/:id`,
    {
      schema: {
        operationId: 'retrieveBillingAccount',
        summary: 'Get an account with its balances',
        tags: ['billingAccount'],
        params: IdParams,
        response: { 200: shown(BillingAccountSchema) }
      },
      config: {
        scope: 'accounts:read',
        problems: ['account_not_known'],
        documentedQuery: tmfFieldsQuery
      }
    },
    async (request) => {
      const fields = readTmfFields(request.query)
      const { id } = request.params
      const [account] = isAccountNumber(id)
        ? await listBillingAccounts(reads, [Number(id)], { offset: 0, limit: 1 })
        : []
      const detail = 'No account has this number.'
      return selectFields(toView(found(account, 'account_not_known', detail)), fields)
    }
  )
}

const isAccountNumber = (id: string) => /^[1-9][0-9]{0,7}$/.test(id)
