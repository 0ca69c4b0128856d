import { findAccount } from '../accounts/account.store.ts'
import { type Client, mayReturnTo } from '../clients/client.ts'
import type { Tx } from '../database/database.ts'
import { delayAfter, providerRetryS } from '../due/delays.ts'
import {
  type Claim,
  claimKey,
  findKey,
  type KnownKey,
  type Reply,
  saveReply
} from '../http/idempotency.store.ts'
import { withParameter } from '../http/return-url.ts'
import { newId } from '../id.ts'
import { Problem, type ProblemPlace, toProblemDocument } from '../problem.ts'
import type { Customer, HostedPage, Trace } from '../provider.ts'
import type { Context } from '../service-context.ts'
import { requestCardSync } from './card-sync.store.ts'
import {
  findReturnUrl,
  insertRegistration,
  leaseRegistration,
  recordRegistrationFailed,
  recordRegistrationPage,
  recordReturn,
  releaseRegistration,
  type WantedRegistration
} from './registration.store.ts'
import { registrationKey, registrationLifeS } from './registration.ts'

export type RegisterRequest = {
  client: Client
  claim: Claim
  place: ProblemPlace
  trace: Trace | undefined
  accountId: number
  returnUrl: string
  customer: Customer | null
}

export type RegisterAnswer = Reply & { replayed: boolean }

/**
 * Intent, call, outcome, as with a payment. Nothing is lost with a registration that was
 * interrupted, so that only the next call under its key goes on with it.
 */
export async function registerCard(
  deps: Context,
  request: RegisterRequest
): Promise<RegisterAnswer> {
  const { client, claim } = request
  const known = await findKey(deps.db, client.id, claim.key)
  if (known !== undefined) return await answerAgain(deps, known, request)
  const currency = await checkRequest(deps, request)
  const id = newId('reg')
  const wanted = await deps.db.transaction().execute(async (tx) => {
    if (!(await claimKey(tx, claim, id))) return undefined
    const intent = {
      id,
      clientId: client.id,
      idempotencyKey: claim.key,
      accountId: request.accountId,
      currency,
      returnUrl: request.returnUrl,
      customer: request.customer,
      providerKey: registrationKey(id, 1)
    }
    return await insertRegistration(tx, intent, { lifeS: registrationLifeS, leaseS: deps.leaseS })
  })
  if (wanted !== undefined) return await openPage(deps, wanted, request)
  const taken = await findKey(deps.db, client.id, claim.key)
  if (taken !== undefined) return await answerAgain(deps, taken, request)
  throw inFlight()
}

/** Throws what is wrong with the request; answers the account's currency. */
async function checkRequest(
  { db, sandbox }: Context,
  { client, accountId, returnUrl }: RegisterRequest
): Promise<string> {
  const account = await findAccount(db, accountId)
  if (account === undefined) throw new Problem('account_not_known', 'No account has this number.')
  if (!mayReturnTo(client, returnUrl, sandbox)) {
    const detail = 'Its origin was not given to this client.'
    throw new Problem('return_url_refused', detail, { errors: [{ pointer: '/returnUrl', detail }] })
  }
  if (account.status === 'closed') {
    throw new Problem('account_closed', `Account ${accountId} is closed.`)
  }
  return account.currency
}

async function answerAgain(
  deps: Context,
  known: KnownKey,
  request: RegisterRequest
): Promise<RegisterAnswer> {
  if (!known.fingerprint.equals(request.claim.fingerprint)) {
    throw new Problem('idempotency_key_reused', 'The first request with this key was another one.')
  }
  if (known.reply !== null) return { ...known.reply, replayed: true }
  // Whoever was at it may be gone: where its lease has ended, this call goes on.
  const wanted = await leaseRegistration(deps.db, known.resourceId, deps.leaseS)
  if (wanted !== undefined) return await openPage(deps, wanted, request)
  const reply = (await findKey(deps.db, request.client.id, request.claim.key))?.reply
  if (reply) return { ...reply, replayed: true }
  throw inFlight()
}

function inFlight(): Problem {
  return new Problem('idempotency_key_in_flight', 'The page is being made.', { retryAfterS: 1 })
}

/** Asks the provider for the page and writes down what came of it. The caller has the lease. */
async function openPage(
  deps: Context,
  wanted: WantedRegistration,
  { place, trace }: RegisterRequest
): Promise<RegisterAnswer> {
  const { id, tries, providerKey } = wanted
  const answer = await deps.provider.createRegistrationPage(toPageRequest(deps, wanted), trace)
  if (answer.outcome === 'unknown') {
    const isStored = answer.retry === 'new_key'
    const key = isStored ? registrationKey(id, tries + 2) : providerKey
    await releaseRegistration(deps.db, id, key)
    throw new Problem('provider_unavailable', `The page of ${id} is still to be made.`, {
      retryAfterS: delayAfter(providerRetryS, tries),
      cause: answer.reason
    })
  }
  if (answer.outcome === 'done') {
    const { value: page } = answer
    return await settle(deps, wanted, toReply(wanted, page), (tx) =>
      recordRegistrationPage(tx, id, page)
    )
  }
  const problem = new Problem('provider_rejected', answer.reason)
  const body = JSON.stringify(toProblemDocument(problem, place))
  return await settle(deps, wanted, { status: problem.status, body }, (tx) =>
    recordRegistrationFailed(tx, id)
  )
}

/** Writes outcome and answer together. The first answer stands, should another have been sooner. */
async function settle(
  { db }: Context,
  { clientId, idempotencyKey }: WantedRegistration,
  reply: Reply,
  record: (tx: Tx) => Promise<void>
): Promise<RegisterAnswer> {
  const saved = await db.transaction().execute(async (tx) => {
    await saveReply(tx, clientId, idempotencyKey, reply)
    const first = (await findKey(tx, clientId, idempotencyKey))?.reply
    if (first?.body === reply.body) await record(tx)
    return first
  })
  return { ...(saved ?? reply), replayed: false }
}

function toPageRequest({ publicUrl }: Context, wanted: WantedRegistration) {
  const { id, accountId, currency, customer, expiresAt, providerKey } = wanted
  return {
    key: providerKey,
    registrationId: id,
    accountId,
    currency,
    returnUrl: `${publicUrl}/return/${id}`,
    expiresAt,
    customer
  }
}

function toReply({ id, expiresAt }: WantedRegistration, { url }: HostedPage): Reply {
  const checkout = { url, expiresAt: expiresAt.toISOString() }
  return { status: 201, body: JSON.stringify({ id, checkout }) }
}

/**
 * Where the browser goes that came back from the page. That it came back proves nothing, but makes
 * it worth asking for the account's cards: once, since anybody can open this address.
 */
export async function returnFromRegistration(
  { db, wake }: Pick<Context, 'db' | 'wake'>,
  id: string,
  onFault: (error: unknown) => void
): Promise<string> {
  const returnUrl = await findReturnUrl(db, id)
  if (returnUrl === undefined) {
    throw new Problem('registration_not_found', 'No registration has this id.')
  }
  try {
    await db.transaction().execute(async (tx) => {
      const accountId = await recordReturn(tx, id)
      if (accountId !== undefined) await requestCardSync(tx, [accountId])
    })
    wake('sync_cards')
  } catch (error) {
    onFault(error)
  }
  return withParameter(returnUrl, 'registrationId', id)
}
