/** A provider of ours, and the simulator or a stub in Adyen's place that it calls. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { startSimulator } from '../../sandbox/simulator/simulator.ts'
import { type AdyenOptions, createAdyenProvider } from '../../src/adyen/adyen.provider.ts'
import type { HostedPageRequest, OperationRequest, Provider } from '../../src/provider.ts'

export const merchantAccount = 'TestMerchant'
const apiKey = 'test-adyen-api-key'

let payments = 0
export function newRequest(changes: Partial<HostedPageRequest> = {}): HostedPageRequest {
  payments += 1
  const paymentId = `pay_${String(payments).padStart(16, '0')}`
  return {
    key: `${paymentId}.session.1`,
    paymentId,
    accountId: 7,
    amount: { currency: 'GBP', value: 2500 },
    returnUrl: `https://pay.example/return/${paymentId}`,
    expiresAt: new Date(Date.now() + 3_600_000),
    capture: 'automatic',
    saveCard: 'never',
    customer: null,
    metadata: null,
    byPhone: false,
    offers: ['scheme'],
    ...changes
  }
}

/** A request to send the money of an authorisation back. */
export const reversalOf = (authorisation: string, key = 'rev_1.reversal.1'): OperationRequest => ({
  key,
  kind: 'reversal',
  reference: 'rev_1',
  authorisationReference: authorisation
})

export function newProvider(t: Test, checkoutUrl: string, options: Partial<AdyenOptions> = {}) {
  const provider = createAdyenProvider({
    environment: 'TEST',
    apiKey,
    merchantAccount,
    timeoutMs: 5_000,
    checkoutUrl,
    ...options
  })
  t.teardown(() => provider.close())
  return provider
}

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
export type Json = any

/** A simulator without anybody to send webhooks to, and a provider of it. */
export async function startPair(t: Test, options: Partial<AdyenOptions> = {}) {
  const simulator = await startSimulator({
    port: 0,
    apiKey,
    merchantAccount,
    hmacKey: '0123456789abcdef'.repeat(4),
    webhookUrl: 'http://127.0.0.1:1/webhooks/adyen',
    retryDelaysMs: []
  })
  t.teardown(() => simulator.close())
  const control = async (method: string, path: string, body?: unknown): Promise<Json> => {
    const response = await fetch(`${simulator.url}/_simulator${path}`, {
      method,
      ...(body !== undefined && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body)
      })
    })
    return await response.json()
  }
  return {
    provider: newProvider(t, simulator.url, options),
    url: simulator.url,
    control,
    setFaults: (api: object) => control('PUT', '/faults', { api }),
    lastRequest: async () => (await control('GET', '/requests')).at(-1)
  }
}

/** A server in Adyen's place that gives every call the same answer. */
export async function startStub(t: Test, answer: (body: Json, url: string) => [number, unknown]) {
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const [status, body] = answer(text === '' ? undefined : JSON.parse(text), request.url ?? '')
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(body === undefined ? undefined : JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const checkoutUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return newProvider(t, checkoutUrl)
}

export async function openPage(provider: Provider, request: HostedPageRequest) {
  const answer = await provider.createHostedPage(request)
  if (answer.outcome !== 'done') throw new Error(JSON.stringify(answer))
  return answer.value
}
