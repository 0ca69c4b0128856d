import client from '@adyen/api-library/lib/src/client.js'
import type { EnvironmentEnum } from '@adyen/api-library/lib/src/config.js'
import type { OperationRequest, Provider } from '../provider.ts'
import { createTransport } from './adyen.transport.ts'
import { type Adyen, as } from './adyen-request.ts'
import { toAdyenAmount } from './amount.ts'
import { createCardPayments } from './card-payments.provider.ts'
import { createCards } from './cards.provider.ts'
import { createLinks } from './links.provider.ts'
import { createOperations } from './operations.provider.ts'
import { createPages } from './pages.provider.ts'

export type AdyenOptions = {
  environment: 'TEST' | 'LIVE'
  apiKey: string
  merchantAccount: string
  /** Required with LIVE. */
  liveUrlPrefix?: string | undefined
  /** An origin in place of Adyen's, such as `http://127.0.0.1:9999`. */
  checkoutUrl?: string | undefined
  /** The deadline of one call, ms. */
  timeoutMs: number
  /** Called after every call: its name, how it went, and how long it took. */
  onCall?: (call: { operation: string; outcome: string; ms: number }) => void
}

export type AdyenProvider = Provider & { close(): void }

/** The provider over Adyen's Checkout API v72: what each call says stands in its own file. */
export function createAdyenProvider(options: AdyenOptions): AdyenProvider {
  const adyen = connect(options)
  const calls = {
    ...createPages(adyen),
    ...createLinks(adyen),
    ...createCardPayments(adyen),
    ...createOperations(adyen),
    ...createCards(adyen)
  }
  return {
    name: 'adyen',
    canExpress: (amount) => toAdyenAmount(amount) !== undefined,
    ...observe(calls, options.onCall),
    close: adyen.transport.close
  }
}

type Calls = Omit<Provider, 'name' | 'canExpress'>

/** How the calls are named where they are counted; what is asked about a payment by its kind. */
const operationNames: Readonly<Record<string, string>> = {
  createHostedPage: 'sessions',
  findPageResult: 'session_result',
  createPaymentLink: 'links',
  findLinkStatus: 'link_status',
  expireLink: 'link_expiry',
  createCardPayment: 'payments',
  finishCardPayment: 'payment_details',
  createRegistrationPage: 'registrations',
  listStoredCards: 'stored_cards',
  forgetCard: 'stored_card_removals'
}

/** The same calls, each of which is reported to `onCall` once it is answered. */
function observe(calls: Calls, onCall: AdyenOptions['onCall']): Calls {
  type Call = (...request: unknown[]) => Promise<string | { outcome: string }>
  const observed = Object.entries(calls).map(([name, call]) => [
    name,
    async (...request: unknown[]) => {
      const startedAt = performance.now()
      const answer = await (call as Call)(...request)
      const ms = performance.now() - startedAt
      const outcome = typeof answer === 'string' ? answer : answer.outcome
      const operation = operationNames[name] ?? `${(request[0] as OperationRequest).kind}s`
      onCall?.({ operation, outcome, ms })
      return answer
    }
  ])
  return Object.fromEntries(observed) as Calls
}

function connect(options: AdyenOptions): Adyen {
  const { apiKey, merchantAccount, liveUrlPrefix } = options
  const transport = createTransport({
    apiKey,
    deadlineMs: options.timeoutMs,
    origin: options.checkoutUrl
  })
  const settings = {
    apiKey,
    environment: as<EnvironmentEnum>(options.environment),
    ...(liveUrlPrefix && { liveEndpointUrlPrefix: liveUrlPrefix })
  }
  return { client: new client.default(settings, transport), transport, merchantAccount }
}
