/** Registering a card is opening a page that asks for no money. */
import { findAccount } from '../accounts/account.store.ts'
import { toRegistrationView } from '../cards/card.ts'
import {
  type CardName,
  claimRegistration,
  insertRegistration,
  postponeRegistrationPage,
  recordRegistrationPage,
  recordRegistrationRejected,
  registrations,
  type WantedRegistration
} from '../cards/registration.store.ts'
import { type Client, mayReturnTo } from '../clients/client.ts'
import { nextAskS } from '../due/delays.ts'
import { type Claimed, leaseLeftS, newLease } from '../due/due.store.ts'
import { callOnce, type OnceAnswer } from '../http/idempotency.commands.ts'
import { type Claim, findKey, type Reply } from '../http/idempotency.store.ts'
import { newId } from '../id.ts'
import { providerKey } from '../payments/payment.ts'
import { Problem } from '../problem.ts'
import type { Customer, HostedPage } from '../provider.ts'
import type { Context } from '../service-context.ts'
import {
  notAnswering,
  type Opening,
  recordOpening,
  returnUrlOf,
  toUnavailable
} from './open-page.commands.ts'
import { type Caller, toProblemReply } from './outcome.commands.ts'

/** How long the customer has. */
const lifeS = 60 * 60

/** Where a customer ends whose caller names no place; any client may send its own there. */
export const ownReturnUrl = (publicUrl: string) => `${publicUrl}/card-registered`

type RegisterRequest = Caller & {
  client: Client
  claim: Claim
  accountId: number
  returnUrl: string
  customer: Customer | null
} & CardName

/**
 * Opens a page where a customer registers a card. Nothing is lost with a registration that was
 * interrupted, so that only the next call under its key goes on with it.
 */
export async function registerCard(
  deps: Context,
  request: RegisterRequest
): Promise<OnceAnswer & { resourceId: string }> {
  return await callOnce(
    deps.db,
    request.claim,
    () => beginRegistration(deps, request),
    (id) => resumeRegistration(deps, request, id)
  )
}

async function beginRegistration(deps: Context, request: RegisterRequest) {
  const { db, sandbox, leaseS, provider, publicUrl } = deps
  if (provider.pauseMs('pages') > 0) {
    return toUnavailable(notAnswering, { detail: 'Nothing was written.' })
  }
  const { client, accountId, returnUrl, customer, claim, name, description } = request
  const account = await findAccount(db, accountId)
  if (account === undefined) return new Problem('account_not_known', 'No account has this number.')
  if (returnUrl !== ownReturnUrl(publicUrl) && !mayReturnTo(client, returnUrl, sandbox)) {
    const detail = 'Its origin was not given to this client.'
    const errors = [{ pointer: '/returnUrl', detail }]
    return new Problem('return_url_refused', detail, { errors })
  }
  if (account.status === 'closed') {
    return new Problem('account_closed', `Account ${accountId} is closed.`)
  }
  const id = newId('reg')
  const { currency } = account
  const key = providerKey(id, 'registration')
  const lease = newLease(id)
  const wish = { id, accountId, currency, customer, providerKey: key }
  const intent = { ...wish, returnUrl, name, description }
  const expiresAt = await insertRegistration(db, intent, claim, { lifeS, leaseS, lease })
  if (expiresAt === undefined) return inFlight(1)
  const wanted = { ...wish, expiresAt, lease, attempts: 1 }
  return { ...(await openRegistrationPage(deps, wanted, request)), resourceId: id }
}

/** Whoever was at it may be gone: where its lease has ended, this call goes on. */
async function resumeRegistration(
  deps: Context,
  request: RegisterRequest,
  id: string
): Promise<OnceAnswer> {
  const wanted = await claimRegistration(deps.db, id, deps.leaseS)
  if (wanted !== undefined) return await openRegistrationPage(deps, wanted, request)
  return await getAnswer(deps, request, id)
}

/** Asks the provider for the page and writes down what came of it. The caller has the lease. */
async function openRegistrationPage(
  deps: Context,
  wanted: Claimed<WantedRegistration>,
  request: RegisterRequest
): Promise<OnceAnswer> {
  const { db, publicUrl, provider } = deps
  const { id, accountId, currency, customer, expiresAt, providerKey: key, attempts } = wanted
  /** The first answer stands, should another caller have been sooner. */
  const answerWith = async (reply: Reply, isFirst: boolean) =>
    isFirst ? { ...reply, replayed: false } : await getAnswer(deps, request, id)
  const opening: Opening = {
    key,
    attempts,
    recordPage: async (page) => {
      const reply = toReply(wanted, page)
      return await answerWith(reply, await recordRegistrationPage(db, id, page, reply))
    },
    recordRejection: async (reason) => {
      const reply = toProblemReply(new Problem('provider_rejected', reason), request.place)
      return await answerWith(reply, await recordRegistrationRejected(db, id, reply))
    },
    postpone: (nextKey, delayS) => postponeRegistrationPage(db, wanted, nextKey, delayS),
    unavailable: (reason) => toUnavailable(reason, { detail: `The page of ${id} is to be made.` })
  }
  const page = {
    key,
    registrationId: id,
    accountId,
    currency,
    returnUrl: returnUrlOf(publicUrl, id),
    expiresAt,
    customer
  }
  return await recordOpening(opening, await provider.createRegistrationPage(page, request.trace))
}

function toReply({ id, accountId, expiresAt }: WantedRegistration, { url }: HostedPage): Reply {
  const opened = { id, accountId, expiresAt, checkoutUrl: url, registeredCardId: null }
  return { status: 201, body: JSON.stringify(toRegistrationView({ ...opened, status: 'pending' })) }
}

/** The saved answer; throws where there is none yet. */
async function getAnswer(
  { db, leaseS }: Context,
  { claim }: RegisterRequest,
  id: string
): Promise<OnceAnswer> {
  const reply = (await findKey(db, claim.clientId, claim.key))?.reply
  if (reply) return { ...reply, replayed: true }
  throw inFlight(nextAskS(await leaseLeftS(db, registrations, [id]), leaseS))
}

function inFlight(retryAfterS: number): Problem {
  return new Problem('idempotency_key_in_flight', 'The page is being made.', { retryAfterS })
}
