import { createHmac } from 'node:crypto'
import type { Test } from 'tap'
import { type Answer, newAccountId, type TestService, testService } from '../test-service.ts'

/** 64 hex digits that the simulator signs token webhooks with. */
export const tokenKey = 'c0ffee11c0ffee22c0ffee33c0ffee44c0ffee55c0ffee66c0ffee77c0ffee88'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Json = any
type Options = Parameters<typeof testService>[1]

/** The service, and what tests of cards do with it. */
export async function cardService(t: Test, options: Options = {}) {
  const service = await testService(t, { tokenHmacKeys: [tokenKey], ...options })
  return { ...service, ...toolsOf(service) }
}
export type CardService = Awaited<ReturnType<typeof cardService>>

const returnUrl = 'http://127.0.0.1:1/cards?tab=2'

function toolsOf({ call, control }: TestService) {
  async function addAccount(body: object = {}): Promise<string> {
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP', ...body } })
    return id
  }

  const cardsOf = async (accountId: string): Promise<Json[]> =>
    (await call('GET', `/v1/accounts/${accountId}/cards`)).body.data

  /** Opens a page that only registers a card. */
  const register = (
    accountId: string,
    body: object = {},
    idempotencyKey: string = crypto.randomUUID()
  ) =>
    call('POST', `/v1/accounts/${accountId}/card-registrations`, {
      idempotencyKey,
      body: { returnUrl, ...body }
    })

  const sessionOf = async (reference: string): Promise<Json> =>
    (await control('GET', '/_simulator/sessions')).body.findLast(
      (one: { request: { reference: string } }) => one.request.reference === reference
    )

  /** Types a card on the page of this reference. */
  const type = async (reference: string, card: object = {}): Promise<Answer> =>
    await control('POST', `/_simulator/sessions/${(await sessionOf(reference)).id}/pay`, card)

  /** Registers a card of the account, and answers it once it is there. */
  async function addCard(accountId: string, card: object = {}): Promise<Json> {
    const known = (await cardsOf(accountId)).map(({ id }) => id)
    const { body } = await register(accountId)
    await type(body.id, card)
    const cards = await until(
      () => cardsOf(accountId),
      (found) => found.length > known.length
    )
    return cards.find(({ id }) => !known.includes(id))
  }

  /** The cards that Adyen keeps for the account. */
  const atAdyen = async (accountId: string): Promise<Json[]> =>
    (await control('GET', '/_simulator/storedCards')).body.filter(
      (one: { shopperReference: string }) => one.shopperReference === `account-${accountId}`
    )

  /** The calls to Adyen whose path contains this text. */
  const callsTo = async (text: string, method?: string): Promise<Json[]> =>
    (await control('GET', '/_simulator/requests')).body.filter(
      (one: { path: string; method: string }) =>
        one.path.includes(text) && (method === undefined || one.method === method)
    )

  const setFaults = (api: object) => control('PUT', '/_simulator/faults', { api })

  const notifications = async (query: string): Promise<Json[]> =>
    (await call('GET', `/v1/notifications?limit=100&${query}`)).body.data

  return {
    ...{ addAccount, cardsOf, register, sessionOf, type, addCard },
    ...{ atAdyen, callsTo, setFaults, notifications }
  }
}

/** Asks until what is found is what is waited for, for 10 s at most. */
export async function until<T>(
  find: () => Promise<T>,
  isDone: (found: T) => boolean | undefined
): Promise<T> {
  const giveUpAt = Date.now() + 10_000
  for (;;) {
    const found = await find()
    if (isDone(found)) return found
    if (Date.now() > giveUpAt) throw new Error(`not in time: ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A token webhook's body and signature, by Adyen's description and apart from our own code. */
export function tokenWebhook(body: object | string, key = tokenKey) {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const hmac = createHmac('sha256', Buffer.from(key, 'hex')).update(text)
  return { body: text, headers: { hmacsignature: hmac.digest('base64'), protocol: 'HmacSHA256' } }
}
