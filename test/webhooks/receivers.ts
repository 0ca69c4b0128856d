/** A client of the service that has webhook endpoints, as its operator sees it. */
import { sql } from 'kysely'
import type { Test } from 'tap'
import type { Db } from '../../src/database/database.ts'
import { type Answering, type Found, startConsumer } from '../feed/consumer.ts'
import { type TestService, testService } from '../test-service.ts'

/** A service whose deliveries are tried again with pauses that a test can wait for. */
export async function quickService(t: Test, options?: Parameters<typeof testService>[1]) {
  const service = await testService(t, options)
  hurry(t, service.db)
  return service
}

/** Makes what failed, and is to be tried again some time, due at once, again and again. */
export function hurry(t: Test, db: Db): void {
  const timer = setInterval(() => {
    const again = sql`
      update webhook_delivery set next_attempt_at = now()
      where next_attempt_at > now() and lease is null and attempts > 0`
    again.execute(db).catch(() => clearInterval(timer))
  }, 50)
  t.teardown(() => clearInterval(timer))
}

export function deskOf({ call }: TestService, key?: string) {
  const own = key === undefined ? {} : { key }
  async function ask(status: number, method: string, path: string, body?: unknown) {
    const idempotencyKey = crypto.randomUUID()
    const keyed = method === 'POST' ? { idempotencyKey } : {}
    const answer = await call(method, path, { ...own, ...keyed, ...(body ? { body } : {}) })
    if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${answer.text}`)
    return answer.body
  }
  return {
    ask,
    add: (url: string, events = ['*'], format?: string) =>
      ask(201, 'POST', '/v1/webhook-endpoints', { url, events, format }),
    deliveries: async (id: string, query = '') =>
      (await ask(200, 'GET', `/v1/webhook-endpoints/${id}/deliveries${query}`)).data as Found[],
    feed: async () => (await ask(200, 'GET', '/v1/events?limit=100')).data as Found[]
  }
}

/** A consumer that is an endpoint of the client. */
export async function subscribe(
  t: Test,
  desk: ReturnType<typeof deskOf>,
  answering?: Answering,
  events?: string[],
  format?: string
) {
  const consumer = await startConsumer(t, answering)
  const endpoint = await desk.add(consumer.url, events, format)
  consumer.state.secrets = [endpoint.secret]
  return { ...consumer, id: endpoint.id as string, endpoint }
}

export async function capture({ createPayment, pay, until }: TestService, options = {}) {
  const { id } = await createPayment({}, options)
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  return id as string
}
