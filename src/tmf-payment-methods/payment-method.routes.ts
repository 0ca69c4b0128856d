import type { FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import { toRefusal } from '../checkout/create.ts'
import { clientOf } from '../http/auth.plugin.ts'
import { IdParams, located, nothing } from '../http/common.schema.ts'
import { fingerprintOf } from '../http/idempotency.store.ts'
import { pathOf } from '../http/problems.plugin.ts'
import { traceOf } from '../http/request.plugin.ts'
import { Problem } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { shown, tmfFieldsQuery, tmfListQuery } from '../tmf/tmf.schema.ts'
import { sendTmfList } from '../tmf/tmf-list.ts'
import { readTmfPage, wantedOf } from '../tmf/tmf-look-through.ts'
import { tmfPaths } from '../tmf/tmf-paths.ts'
import { readTmfFields, readTmfQuery, selectFields } from '../tmf/tmf-query.ts'
import { isUri } from '../tmf/tmf-reference.ts'
import { findCardSecrets } from '../tmf-payments/card-secrets.ts'
import {
  addMethod,
  getMethod,
  isMethodId,
  removeMethod,
  viewOf
} from './payment-method.commands.ts'
import { RegisteredCardCreate, RegisteredCardMethod } from './payment-method.schema.ts'
import { countMethods, listMethods } from './payment-method.store.ts'
import { methodFilters, type PaymentMethod, toTmfMethod } from './payment-method.ts'

const path = `${tmfPaths.paymentMethods}/paymentMethod`
const card = shown(RegisteredCardMethod)

export const paymentMethodRoutes: Routes = async (app, deps) => {
  const { reads, publicUrl } = deps
  const toView = (method: PaymentMethod) => toTmfMethod(method, publicUrl)

  app.get(
    path,
    {
      schema: {
        operationId: 'listPaymentMethod',
        summary: 'List registered cards',
        description:
          'Newest first; of one account by `account.id`. With them stand registrations whose ' +
          'page is open and has brought no card yet. A third party sees its own registrations, ' +
          'and the cards of accounts that it names. Filters but `id` and `account.id` look ' +
          'through the newest 1,000: where that does not fill the page and there are more, it ' +
          'is 400.',
        tags: ['paymentMethod'],
        response: { 200: Type.Array(card) }
      },
      config: {
        scope: 'cards:read',
        problems: [],
        documentedQuery: tmfListQuery(methodFilters.described)
      }
    },
    async (request, reply) => {
      const query = readTmfQuery(request.query, methodFilters.kinds)
      const view = viewOf(clientOf(request))
      const { filters } = query
      const scope = {
        accountIds: wantedOf(filters, 'account.id')?.filter(isAccountNumber).map(Number) ?? null,
        ids: wantedOf(filters, 'id')?.filter(isMethodId) ?? null
      }
      const page = await readTmfPage(query, filters, {
        read: (slice) => listMethods(reads, scope, view, slice),
        count: (most) => countMethods(reads, view, most),
        toViews: (some) => some.map(toView),
        narrowers: ['account.id', 'id']
      })
      return sendTmfList(request.url, reply, query, page)
    }
  )

  app.get(
    `${path}/:id`,
    {
      schema: {
        operationId: 'retrievePaymentMethod',
        summary: 'Get a registered card',
        description:
          'By its id, or by that of the registration that was posted: pending, and once its card ' +
          'is there active, with what is seen of the card.',
        tags: ['paymentMethod'],
        params: IdParams,
        response: { 200: card }
      },
      config: {
        scope: 'cards:read',
        problems: ['payment_method_not_found'],
        documentedQuery: tmfFieldsQuery,
        etag: true
      }
    },
    async (request) => {
      const fields = readTmfFields(request.query)
      const method = await getMethod(reads, clientOf(request), request.params.id)
      return selectFields(toView(method), fields)
    }
  )

  app.post(
    path,
    {
      schema: {
        operationId: 'createPaymentMethod',
        summary: 'Register a card',
        description:
          'Opens a page of the payment provider: send the customer to `checkoutUrl`, which is ' +
          'also a `Link`. The answer is pending, and at its address becomes active once the card ' +
          'is there. With an `Idempotency-Key` a repetition opens no second page.',
        tags: ['paymentMethod'],
        headers: KeyHeaders,
        body: RegisteredCardCreate,
        response: { 201: located(card) }
      },
      config: {
        scope: 'cards:write',
        problems: [
          'idempotency_key_in_flight',
          'idempotency_key_reused',
          'account_not_found',
          'account_closed',
          'return_url_refused',
          'provider_rejected',
          'provider_unavailable'
        ]
      }
    },
    async (request, reply) => {
      const { body } = request
      const refusal = toRefusal(findCardSecrets(body))
      if (refusal !== undefined) throw refusal
      const { method, replayed } = await addMethod(deps, {
        client: clientOf(request),
        key: request.headers['idempotency-key'] ?? null,
        fingerprint: fingerprintOf(request.method, pathOf(request), body),
        place: { publicUrl, instance: pathOf(request), requestId: request.id },
        trace: traceOf(request),
        accountId: Number(body.account[0]?.id),
        name: body.name,
        description: body.description ?? null,
        returnUrl: returnUrlOf(body)
      })
      const view = toView(method)
      reply.header('location', view.href)
      if (replayed) reply.header('idempotent-replayed', 'true')
      if (method.checkoutUrl !== null)
        reply.header('link', `<${method.checkoutUrl}>; rel="payment"`)
      return reply.code(201).send(view)
    }
  )

  app.delete(
    `${path}/:id`,
    {
      schema: {
        operationId: 'deletePaymentMethod',
        summary: 'Remove a registered card',
        description:
          'From then on it is neither shown nor charged. The provider is asked at once, and ' +
          'again until it has done it. A page that has brought no card ends by itself: 404.',
        tags: ['paymentMethod'],
        params: IdParams,
        response: { 204: nothing('Removed') }
      },
      config: {
        scope: 'cards:write',
        problems: ['payment_method_not_found', 'card_not_found']
      }
    },
    async (request: FastifyRequest<{ Params: { id: string } }>, reply) => {
      const { id } = request.params
      await removeMethod(deps, clientOf(request), id, (error) =>
        request.log.warn({ err: error, id }, 'a card is still to be removed at the provider')
      )
      return reply.code(204).send()
    }
  )
}

const isAccountNumber = (id: string) => /^[1-9][0-9]{0,7}$/.test(id)

const KeyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[\\x21-\\x7e]{1,255}$',
      description: 'A fresh random value for each new registration; the same for each repetition'
    })
  )
})

function returnUrlOf({ characteristic = [] }: Static<typeof RegisteredCardCreate>) {
  const at = characteristic.findIndex(({ name }) => name === 'returnUrl')
  const value = characteristic[at]?.value
  if (value === undefined) return null
  const pointer = `/characteristic/${at}/value`
  if (typeof value === 'string' && isUri(value)) return { value, pointer }
  const errors = [{ pointer, detail: 'must be a URI of at most 1024 characters' }]
  throw new Problem('request_invalid', 'A fault in the body.', { errors })
}
