import { randomUUID } from 'node:crypto'
import { findAccount } from '../accounts/account.store.ts'
import { deleteCard } from '../cards/card.commands.ts'
import { ownReturnUrl, registerCard } from '../checkout/registration.commands.ts'
import { pageGraceS } from '../checkout/schedule.ts'
import { type Client, visibleTo } from '../clients/client.ts'
import type { Db } from '../database/database.ts'
import { Problem, type ProblemPlace } from '../problem.ts'
import type { Trace } from '../provider.ts'
import type { Context } from '../service-context.ts'
import { listMethods, type MethodView } from './payment-method.store.ts'
import type { PaymentMethod } from './payment-method.ts'

/** What a client sees of payment methods. */
export function viewOf(client: Client): MethodView {
  return { clientId: visibleTo(client), graceS: pageGraceS }
}

export const isMethodId = (id: string) => /^(crd|reg)_[0-9a-z]{16}$/.test(id)

/** The method by the id of its card, or of its registration. */
export async function getMethod(db: Db, client: Client, id: string): Promise<PaymentMethod> {
  const scope = { accountIds: null, ids: [id] }
  const [method] = isMethodId(id)
    ? await listMethods(db, scope, viewOf(client), { offset: 0, limit: 1 })
    : []
  if (method !== undefined) return method
  throw new Problem('payment_method_not_found', 'No payment method has this id.')
}

type RegisterRequest = {
  client: Client
  /** Under which it is done once; null for each time anew. */
  key: string | null
  fingerprint: Buffer
  place: ProblemPlace
  trace: Trace | undefined
  accountId: number
  name: string
  description: string | null
  /** And where it stands in the body; null for a page of ours. */
  returnUrl: { value: string; pointer: string } | null
}

/**
 * Opens a page where the customer registers a card, once for a key. `replayed`: another call has
 * done it; the method is as it is now.
 */
export async function addMethod(
  deps: Context,
  request: RegisterRequest
): Promise<{ method: PaymentMethod; replayed: boolean }> {
  const { client, key, fingerprint, accountId, returnUrl, ...rest } = request
  if ((await findAccount(deps.db, accountId)) === undefined) {
    const errors = [{ pointer: '/account/0/id', detail: 'is no account that was pushed' }]
    throw new Problem('account_not_found', 'No account has this number.', { errors })
  }
  const answer = await registerCard(deps, {
    ...rest,
    client,
    claim: { clientId: client.id, key: key ?? `tmf670-${randomUUID()}`, fingerprint },
    accountId,
    returnUrl: returnUrl?.value ?? ownReturnUrl(deps.publicUrl),
    customer: null
  }).catch((error) => {
    if (!(error instanceof Problem) || error.code !== 'return_url_refused') throw error
    const errors = [{ pointer: returnUrl?.pointer ?? '', detail: error.message }]
    throw new Problem(error.code, error.message, { errors })
  })
  const { status, body, resourceId, replayed } = answer
  if (status === 201) return { method: await getMethod(deps.db, client, resourceId), replayed }
  const { code, detail, errors } = JSON.parse(body)
  throw new Problem(code, detail, { errors })
}

/** Removes the card, here at once and then at the provider: see `deleteCard`. */
export async function removeMethod(
  deps: Context,
  client: Client,
  id: string,
  onFault: (error: unknown) => void
): Promise<void> {
  const { accountId, expiresAt, registeredCardId } = await getMethod(deps.db, client, id)
  const cardId = expiresAt === null ? id : registeredCardId
  if (cardId === null) {
    throw new Problem('card_not_found', 'Its page has brought no card, and ends by itself.')
  }
  await deleteCard(deps, accountId, cardId, onFault)
}
