/** A client of the service that has webhook endpoints, as its operator sees it. */
import type { Test } from 'tap'
import { type Answering, type Found, startConsumer } from '../feed/consumer.ts'
import type { TestService } from '../test-service.ts'

/** Pauses between the tries that no test has to wait for. */
export const quick = { webhookRetryS: [0.05, 0.1, 0.2, 0.4] }

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
    add: (url: string, events = ['*']) =>
      ask(201, 'POST', '/v1/webhook-endpoints', { url, events }),
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
  events?: string[]
) {
  const consumer = await startConsumer(t, answering)
  const endpoint = await desk.add(consumer.url, events)
  consumer.state.secrets = [endpoint.secret]
  return { ...consumer, id: endpoint.id as string, endpoint }
}

export async function capture({ createPayment, pay, until }: TestService, options = {}) {
  const { id } = await createPayment({}, options)
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  return id as string
}
