/** What the journeys do over and over, as callers and customers do it: over HTTP alone. */
import type { Test } from 'tap'
import { until } from '../cards/harness.ts'
import { type Call, newAccountId, type TestService, testService } from '../test-service.ts'

export const tokenKey = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00'
/** What is typed into a card page. */
export const goodCard = {
  number: '4111 1111 1111 1111',
  expiry: '03/30',
  cvc: '737',
  holderName: 'A. Customer'
}

// biome-ignore lint/suspicious/noExplicitAny: what a journey finds is what it asserts.
type Found = any
export type Journey = Awaited<ReturnType<typeof startJourney>>

export const gbp = (value: number) => ({ currency: 'GBP', value })

/** The service, its Adyen with token webhooks, and what its callers do. */
export async function startJourney(t: Test, options: Parameters<typeof testService>[1] = {}) {
  const service = await testService(t, { tokenHmacKeys: [tokenKey], ...options })
  return { ...service, ...deskOf(service) }
}

function deskOf({ call }: TestService) {
  /** A POST that changes something, under a key of its own; must answer `status`. */
  async function post(path: string, body: unknown, status: number, options: Call = {}) {
    const idempotencyKey = crypto.randomUUID()
    const answer = await call('POST', path, { body, idempotencyKey, ...options })
    if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${answer.text}`)
    return answer.body
  }

  /** An account that owes these, all long due; answers its number and the ids of the charges. */
  async function openAccount(owed: Record<string, number> = {}) {
    const accountId = newAccountId()
    await call('PUT', `/v1/accounts/${accountId}`, { body: { currency: 'GBP' } })
    const charges: Record<string, string> = {}
    for (const [place, [reference, value]] of Object.entries(owed).entries()) {
      const dueAt = new Date(Date.UTC(2026, place)).toISOString()
      const body = { amount: gbp(value), reference, dueAt }
      const answer = await call('POST', `/v1/accounts/${accountId}/charges`, { body })
      charges[reference] = answer.body.id
    }
    return { accountId, charges }
  }

  async function balanceOf(accountId: string, key?: string) {
    const { body } = await call('GET', `/v1/accounts/${accountId}`, options(key))
    const { outstanding, overdue, inQuery, credit } = body.balance
    return {
      outstanding: outstanding.value,
      overdue: overdue.value,
      inQuery: inQuery.value,
      credit: credit.value
    }
  }

  /** What is open of each charge, by its reference. */
  async function openAmountsOf(accountId: string) {
    const { body } = await call('GET', `/v1/accounts/${accountId}/charges?limit=100`)
    return Object.fromEntries(
      body.data.map((charge: Found) => [charge.reference, charge.openAmount])
    )
  }

  /**
   * The account's ledger as a bookkeeper reads it, oldest first, a line for a transfer:
   * `payment 2500: provider to customer`, from the account debited to the one credited. Fails where
   * a transfer has not two sides of one amount.
   */
  async function ledgerOf(accountId: string, key?: string): Promise<string[]> {
    const path = `/v1/accounts/${accountId}/entries?limit=100`
    const { body } = await call('GET', path, options(key))
    const transfers = Map.groupBy(body.data as Found[], ({ id }) => id.split('.')[0])
    return [...transfers].reverse().map(([id, sides]) => {
      const debit = sides.find(({ direction }) => direction === 'debit')
      const credit = sides.find(({ direction }) => direction === 'credit')
      const isTransfer = sides.length === 2 && debit?.amount.value === credit?.amount.value
      if (!isTransfer) throw new Error(`${id} has no two sides: ${JSON.stringify(sides)}`)
      return `${debit.cause.type} ${debit.amount.value}: ${debit.account} to ${credit.account}`
    })
  }

  async function cardsOf(accountId: string, key?: string): Promise<Found[]> {
    return (await call('GET', `/v1/accounts/${accountId}/cards`, options(key))).body.data
  }

  async function list(path: string, key?: string): Promise<Found[]> {
    return (await call('GET', path, options(key))).body.data
  }

  async function eventsOf(paymentId: string): Promise<string[]> {
    return (await list(`/v1/payments/${paymentId}/events?limit=100`)).map(({ type }) => type)
  }

  const untilCards = (accountId: string, isDone: (cards: Found[]) => boolean) =>
    until(() => cardsOf(accountId), isDone)

  return {
    ...{ post, openAccount, balanceOf, openAmountsOf, ledgerOf },
    ...{ cardsOf, untilCards, list, eventsOf }
  }
}

function options(key: string | undefined): Call {
  return key === undefined ? {} : { key }
}

/** Where a browser stands: an address of this machine, or the caller's own that it was sent to. */
export type Place = { url: string; status: number; html: string }

/**
 * A browser without scripts: opens an address, or sends a form to it, and goes where it is sent;
 * not beyond this machine.
 */
export async function browse(address: string, form?: Record<string, string>): Promise<Place> {
  let url = address
  const sent = form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }
  let response = await fetch(url, { ...sent, redirect: 'manual' })
  for (;;) {
    const location = response.headers.get('location')
    const { status } = response
    const html = await response.text()
    if (location === null) return { url, status, html }
    url = new URL(location, url).href
    if (new URL(url).hostname !== '127.0.0.1') return { url, status, html: '' }
    response = await fetch(url, { redirect: 'manual' })
  }
}

/** The names of the cards that a page offers, newest last. */
export function offeredOn({ html }: Place): string[] {
  return [...html.matchAll(/name="card" value="([^"]+)"/g)]
    .map(([, value = '']) => value)
    .filter((value) => value !== 'new')
}
