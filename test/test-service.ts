import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { pino } from 'pino'
import type { Test } from 'tap'
import { type SimulatorOptions, startSimulator } from '../sandbox/simulator/simulator.ts'
import { insertClient, insertKey, newApiKey } from '../src/clients/client.store.ts'
import { type Client, scopes } from '../src/clients/client.ts'
import type { Db } from '../src/database/database.ts'
import { type Service, type ServiceOptions, startService } from '../src/service.ts'
import { refusePlanted } from './planted.ts'
import { testDatabase } from './test-database.ts'

export const merchantAccount = 'TestMerchant'
export const adyenApiKey = 'test-adyen-api-key'
/** 64 hex digits that tests sign with. */
export const hmacKey = 'a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90'

/** An answer whose body is JSON, or text where it is none. */
export type Answer = {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
  body: any
  text: string
}

export type Call = {
  body?: unknown
  headers?: Record<string, string>
  /** The API key; null for none; by default that of a client that may do everything. */
  key?: string | null
  idempotencyKey?: string
}

export type TestService = {
  url: string
  db: Db
  /** The owner's; the service itself connects as a role that was granted what it needs. */
  databaseUrl: string
  service: Service
  simulatorUrl: string
  /** A key of a client that may do everything. */
  key: string
  /** Calls the API over real HTTP. */
  call(method: string, path: string, call?: Call): Promise<Answer>
  /** Calls the simulator's control API, such as `PUT /_simulator/faults`. */
  control(method: string, path: string, body?: unknown): Promise<Answer>
  /** Makes a client and answers its key. */
  addClient(client: Partial<Omit<Client, 'id'>>): Promise<string>
  /** Creates a payment of an account that is there; answers the payment. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  createPayment(body?: Record<string, unknown>, call?: Call): Promise<any>
  /** Pays the payment on the simulator's page, or is refused, by the holder's name. */
  pay(paymentId: string, holderName?: string): Promise<Answer>
  /** Asks for the payment until `isDone`, for 10 s at most. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  until(paymentId: string, isDone: (payment: any) => boolean): Promise<any>
}

type Options = Partial<ServiceOptions> & {
  simulator?: Partial<SimulatorOptions>
  hmacKeys?: string[]
  /** Of the token webhooks; the simulator signs with the first. None unless told otherwise. */
  tokenHmacKeys?: string[]
}

let accounts = 10_000_000
/** Each file begins with the same numbers, whichever file was in its process before. */
export function restartAccountIds(): void {
  accounts = 10_000_000
}

/** An account number that no other test of this file uses. */
export function newAccountId(): string {
  accounts += 1
  return String(accounts)
}

/**
 * The whole service on a database of its own with a simulator of Adyen beside it, all over real
 * HTTP on loopback; closed when `t` ends.
 */
export async function testService(t: Test, options: Options = {}): Promise<TestService> {
  const { db, url: databaseUrl, serviceUrl } = await testDatabase(t)
  const logged: string[] = []
  t.teardown(() => refusePlanted(db, logged.join('')))
  const port = options.port ?? (await findFreePort())
  const url = `http://127.0.0.1:${port}`
  const simulator = await startSimulator({
    port: 0,
    apiKey: adyenApiKey,
    merchantAccount,
    hmacKey,
    webhookUrl: `${url}/webhooks/adyen`,
    webhookDelayMs: 5,
    retryDelaysMs: [200, 200, 200, 500, 1000],
    ...(options.tokenHmacKeys?.[0] && { tokenHmacKey: options.tokenHmacKeys[0] }),
    ...options.simulator
  })
  t.teardown(() => simulator.close())
  const service = await startService({
    host: '127.0.0.1',
    port,
    metricsPort: undefined,
    adyenTimeoutMs: 3_000,
    paymentMaxValue: 999_999_999_999,
    paymentMethods: ['scheme'],
    duplicateWindowS: 600,
    refundApprovalAbove: null,
    settlementMissingDays: 7,
    retention: { keysDays: 30, deliveriesDays: 30, notificationsDays: null },
    rateLimit: null,
    trustProxy: [],
    connections: { requests: 8, reads: 4, background: 4 },
    databaseWaitS: 10,
    drainS: 0,
    merchantName: null,
    databaseUrl: serviceUrl,
    publicUrl: url,
    sandbox: true,
    sealingKeys: [Buffer.alloc(32, 7)],
    log: process.env.TEST_LOG
      ? pino({ level: process.env.TEST_LOG })
      : pino({ level: 'info' }, { write: (line) => void logged.push(line) }),
    ...options,
    adyen: {
      environment: 'TEST',
      apiKey: adyenApiKey,
      merchantAccount,
      hmacKeys: (options.hmacKeys ?? [hmacKey]).map((key) => Buffer.from(key, 'hex')),
      tokenHmacKeys: (options.tokenHmacKeys ?? []).map((key) => Buffer.from(key, 'hex')),
      liveUrlPrefix: undefined,
      checkoutUrl: simulator.url,
      webhookUser: undefined,
      webhookPassword: undefined,
      moto: false,
      multiplePartialCaptures: false,
      ...options.adyen
    }
  })
  t.teardown(() => service.close())
  const key = await addClient(db, {})
  return { ...toolsOf(url, simulator.url, db, key), databaseUrl, service }
}

/** The tools of a test for a service that runs at `url`. */
export function toolsOf(url: string, simulatorUrl: string, db: Db, key: string) {
  const call = (method: string, path: string, { body, ...rest }: Call = {}) =>
    send(`${url}${path}`, method, body, {
      ...(rest.key !== null && { authorization: `Bearer ${rest.key ?? key}` }),
      ...(rest.idempotencyKey !== undefined && { 'idempotency-key': rest.idempotencyKey }),
      ...rest.headers
    })
  const control = (method: string, path: string, body?: unknown) =>
    send(`${simulatorUrl}${path}`, method, body, {})

  async function createPayment(body: Record<string, unknown> = {}, options: Call = {}) {
    const accountId = body.accountId ?? (await addAccount())
    const answer = await call('POST', '/v1/payments', {
      idempotencyKey: crypto.randomUUID(),
      ...options,
      body: { ...paymentBody(String(accountId)), ...body }
    })
    if (answer.status !== 201) throw new Error(`create answered ${answer.status}: ${answer.text}`)
    return answer.body
  }

  async function addAccount(): Promise<string> {
    const id = newAccountId()
    await call('PUT', `/v1/accounts/${id}`, { body: { currency: 'GBP' } })
    return id
  }

  async function pay(paymentId: string, holderName = 'A. Customer') {
    const { body: sessions } = await control('GET', '/_simulator/sessions')
    const session = sessions.findLast(
      (one: { request: { reference: string } }) => one.request.reference === paymentId
    )
    return await control('POST', `/_simulator/sessions/${session.id}/pay`, { holderName })
  }

  // biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
  async function until(paymentId: string, isDone: (payment: any) => boolean) {
    const giveUpAt = Date.now() + 10_000
    for (;;) {
      const { body } = await call('GET', `/v1/payments/${paymentId}`)
      if (isDone(body)) return body
      if (Date.now() > giveUpAt) throw new Error(`not in time: ${JSON.stringify(body)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  return {
    url,
    simulatorUrl,
    db,
    key,
    call,
    control,
    addClient: (client: Partial<Omit<Client, 'id'>>) => addClient(db, client),
    createPayment,
    pay,
    until
  }
}

/** A body that creates a payment of 25.00 GBP. */
export function paymentBody(accountId: string): Record<string, unknown> {
  return {
    accountId,
    amount: { currency: 'GBP', value: 2500 },
    channel: 'selfcare',
    returnUrl: 'http://127.0.0.1:1/paid?basket=7'
  }
}

/** A client with all scopes unless told otherwise; answers its key. */
export async function addClient(db: Db, client: Partial<Omit<Client, 'id'>>): Promise<string> {
  const key = newApiKey()
  await db.transaction().execute(async (tx) => {
    const id = await insertClient(tx, {
      name: `test-${crypto.randomUUID()}`,
      scopes,
      thirdParty: false,
      returnOrigins: ['https://selfcare.example'],
      ...client
    })
    await insertKey(tx, id, key)
  })
  return key
}

/** Sends JSON, or a text as it is. */
async function send(
  url: string,
  method: string,
  body: unknown,
  headers: Record<string, string>
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
  })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: parse(text), text }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A port that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  for (;;) {
    // Below the ports that systems give out by themselves: nobody else's connection takes it.
    const server = createServer().listen(randomInt(10_000, 32_000), '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch {
      continue
    }
    const { port } = server.address() as { port: number }
    server.close()
    await once(server, 'close')
    return port
  }
}
