import type { AnswerNote, CallKind, OperationRequest, Provider } from '../provider.ts'
import { createTransport, type TransportOptions } from './adyen.transport.ts'
import { readAdyenAddress, type Site, toBaseUrl } from './adyen-address.ts'
import { toAdyenAmount } from './amount.ts'
import { createCardPayments } from './card-payments.provider.ts'
import { createCards } from './cards.provider.ts'
import { createLinks } from './links.provider.ts'
import { createOperations } from './operations.provider.ts'
import { createPages } from './pages.provider.ts'

export type AdyenOptions = {
  apiKey: string
  merchantAccount: string
  /** The deadline of one call, ms. */
  timeoutMs: number
  /** Called after every call. */
  onCall?: (call: ProviderCall) => void
} & Site &
  Pick<TransportOptions, 'onChange' | 'onRecovered'>

/** How a call went: `outcome` is for metrics, what else there is for the log. */
export type ProviderCall = { operation: string; outcome: string; ms: number } & AnswerNote

export type AdyenProvider = Provider & { close(): void }

/** The provider over Adyen's Checkout API v72: what each call says stands in its own file. */
export function createAdyenProvider(options: AdyenOptions): AdyenProvider {
  const recovered = new Set<CallKind>()
  const { ask, gateOf, close } = createTransport({
    apiKey: options.apiKey,
    deadlineMs: options.timeoutMs,
    baseUrl: toBaseUrl(options),
    onChange: options.onChange,
    onRecovered(kind) {
      recovered.add(kind)
      options.onRecovered?.(kind)
    }
  })
  const { merchantAccount } = options
  const readAddress = (url: string) => readAdyenAddress(url, options)
  const adyen = { ask, merchantAccount, readAddress }
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
    pauseMs: (kind) => gateOf(kind).pauseMs(),
    isTrialDue: (kind) => gateOf(kind).isTrialDue(),
    takeRecovered() {
      const taken = [...recovered]
      recovered.clear()
      return taken
    },
    ...observe(calls, options.onCall),
    close
  }
}

type Told = 'name' | 'canExpress' | 'pauseMs' | 'isTrialDue' | 'takeRecovered'
type Calls = Omit<Provider, Told>

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
  type Call = (...request: unknown[]) => Promise<string | ({ outcome: string } & AnswerNote)>
  const observed = Object.entries(calls).map(([name, call]) => [
    name,
    async (...request: unknown[]) => {
      const startedAt = performance.now()
      const answer = await (call as Call)(...request)
      const ms = performance.now() - startedAt
      const operation = operationNames[name] ?? `${(request[0] as OperationRequest).kind}s`
      const { outcome, said, trouble } = typeof answer === 'string' ? { outcome: answer } : answer
      onCall?.({
        ...{ operation, outcome: trouble ?? outcome, ms },
        ...(said !== undefined && { said }),
        ...(trouble !== undefined && { trouble })
      })
      return answer
    }
  ])
  return Object.fromEntries(observed) as Calls
}
