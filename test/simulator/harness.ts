import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { type SimulatorOptions, startSimulator } from '../../sandbox/simulator/simulator.ts'

export const KEY = '0123456789abcdef'.repeat(4)
export const MERCHANT = 'ExampleShop'
export const GOOD_CARD = { number: '4111 1111 1111 1111', expiry: '03/30', cvc: '737' }

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into field by field
type Json = any

export type Received = {
  headers: http.IncomingHttpHeaders
  raw: string
  body: Json
  /** The one item, as JSON webhooks have it; a token webhook has none. */
  item: Json
  at: number
}

/** The merchant's side: collects webhooks, and answers what `answerWith` says. */
export async function startEndpoint(t: Test) {
  const received: Received[] = []
  const endpoint = { url: '', received, answerWith: (_one: Received): number | null => 202 }
  const server = http.createServer((request, response) => {
    let raw = ''
    request.setEncoding('utf8').on('data', (part: string) => {
      raw += part
    })
    request.on('end', () => {
      const body = JSON.parse(raw)
      const item = body.notificationItems?.[0].NotificationRequestItem
      const one = { headers: request.headers, raw, body, item, at: Date.now() }
      received.push(one)
      const status = endpoint.answerWith(one)
      if (status === null) request.socket.destroy()
      else response.writeHead(status).end('[accepted]')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/adyen`
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return endpoint
}

/** A simulator of the test's own, with an endpoint for its webhooks. */
export async function startPair(t: Test, options: Partial<SimulatorOptions> = {}) {
  const endpoint = await startEndpoint(t)
  const simulator = await startSimulator({
    port: 0,
    apiKey: 'secret',
    merchantAccount: MERCHANT,
    hmacKey: KEY,
    webhookUrl: endpoint.url,
    webhookDelayMs: 5,
    ...options
  })
  t.teardown(() => simulator.close())
  return { endpoint, simulator, ...clientOf(simulator.url) }
}

/** In pence. */
export const pounds = (value: number) => ({ currency: 'GBP', value })

/** A pair with shorthands for the calls on one payment. */
export async function startShop(t: Test, options: object = {}) {
  const pair = await startPair(t, options)
  const post = (psp: string, what: string, body: object = {}, headers = {}) =>
    pair.call(
      'POST',
      `/v72/payments/${psp}/${what}`,
      { merchantAccount: MERCHANT, ...body },
      headers
    )
  const control = (psp: string, what: string, body: object = {}) =>
    pair.call('POST', `/_simulator/payments/${psp}/${what}`, body)
  const outcome = async (modification: { body: { pspReference: string } }, eventCode: string) => {
    const { pspReference } = modification.body
    return await eventOf(pair.endpoint, eventCode, (item) => item.pspReference === pspReference)
  }
  const booksOf = async (psp: string) => {
    const { body } = await pair.call('GET', '/_simulator/payments')
    return body.find(({ id }: { id: string }) => id === psp)
  }
  return { ...pair, post, control, outcome, booksOf }
}

/** A session that saves the shopper's card and takes nothing. */
export const STORING = {
  reference: 'save_0001',
  amount: { currency: 'GBP', value: 0 },
  shopperReference: 'account-1',
  storePaymentMethodMode: 'enabled',
  recurringProcessingModel: 'CardOnFile'
}

export type Answer = { status: number; headers: Headers; body: Json; text: string }

export function clientOf(url: string) {
  async function call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {}
  ): Promise<Answer> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        'x-api-key': 'secret',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: parse(text), text }
  }

  const createSession = async (changes: object = {}): Promise<Json> =>
    (await call('POST', '/v72/sessions', sessionRequest(changes))).body

  return {
    call,
    createSession,
    /** Through the control API, without the page. */
    pay: async (id: string, input: object = {}): Promise<Json> =>
      (await call('POST', `/_simulator/sessions/${id}/pay`, input)).body,
    createLink: async (changes: object = {}): Promise<Json> =>
      (await call('POST', '/v72/paymentLinks', linkRequest(changes))).body,
    /** An authorised payment, by default to be captured by request; answers its pspReference. */
    authorise: async (changes: object = {}, card: object = {}): Promise<string> => {
      const manual = { additionalData: { manualCapture: 'true' } }
      const { id } = await createSession({ ...manual, ...changes })
      return (await call('POST', `/_simulator/sessions/${id}/pay`, card)).body.pspReference
    },
    /** A card that the shopper `account-1` has saved; answers its token. */
    storeCard: async (card: object = {}): Promise<string> => {
      const { id } = await createSession(STORING)
      const { challengeId } = (await call('POST', `/_simulator/sessions/${id}/pay`, card)).body
      if (challengeId !== undefined) {
        const answer = { password: 'password' }
        await call('POST', `/_simulator/challenges/${challengeId}/answer`, answer)
      }
      const stored = (await call('GET', '/_simulator/storedCards')).body
      return stored.at(-1).id
    },
    setFaults: (faults: object) => call('PUT', '/_simulator/faults', faults),
    /** The way a browser without scripts does it. */
    submit: (id: string, form: Record<string, string>) => postForm(`${url}/pay/${id}`, form),
    postForm: (path: string, form: Record<string, string>) =>
      postForm(new URL(path, url).href, form),
    resultOf: (location: string) => {
      const { searchParams } = new URL(location)
      const query = `sessionResult=${searchParams.get('sessionResult')}`
      return call('GET', `/v72/sessions/${searchParams.get('sessionId')}?${query}`)
    }
  }
}

async function postForm(address: string, form: Record<string, string>) {
  const body = new URLSearchParams(form)
  const response = await fetch(address, { method: 'POST', redirect: 'manual', body })
  const location = response.headers.get('location')
  return { status: response.status, html: await response.text(), location }
}

export function sessionRequest(changes: object = {}): object {
  return {
    merchantAccount: MERCHANT,
    amount: { currency: 'GBP', value: 2500 },
    reference: 'pay_0001',
    returnUrl: 'https://merchant.example/return/pay_0001?keep=a%20b',
    mode: 'hosted',
    ...changes
  }
}

export function linkRequest(changes: object = {}): object {
  return {
    merchantAccount: MERCHANT,
    amount: { currency: 'GBP', value: 2500 },
    reference: 'link_0001',
    ...changes
  }
}

/** Waits until the condition holds, at most 30 s: the machine may be busy. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 30_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('this did not happen within 30 s')
    await sleep(5)
  }
}

/** The webhook of this event, once it has come. */
export async function eventOf(
  { received }: { received: Received[] },
  eventCode: string,
  has: (item: Json) => boolean = () => true
): Promise<Json> {
  const find = () => received.find(({ item }) => item?.eventCode === eventCode && has(item))?.item
  await until(() => find() !== undefined)
  return find()
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function parse(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
