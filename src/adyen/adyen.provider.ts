import client from '@adyen/api-library/lib/src/client.js'
import type { EnvironmentEnum } from '@adyen/api-library/lib/src/config.js'
import type { Provider } from '../provider.ts'
import { createTransport } from './adyen.transport.ts'
import { type Adyen, as } from './adyen-request.ts'
import { toAdyenAmount } from './amount.ts'
import { createCards } from './cards.provider.ts'
import { createCharges } from './charges.provider.ts'
import { createLinks } from './links.provider.ts'
import { createModifications } from './modifications.provider.ts'
import { createSessions } from './sessions.provider.ts'

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
  /** Told of every call: its name, how it went, and how long it took. */
  onCall?: (call: { operation: string; outcome: string; ms: number }) => void
}

export type AdyenProvider = Provider & { close(): void }

/** The provider over Adyen's Checkout API v72: what each call says stands in its own file. */
export function createAdyenProvider(options: AdyenOptions): AdyenProvider {
  const adyen = connect(options)
  const sessions = createSessions(adyen)
  const links = createLinks(adyen)
  const charges = createCharges(adyen)
  const modifications = createModifications(adyen)
  const cards = createCards(adyen)

  /** The call, and a note of how it went. */
  async function timed<T extends { outcome: string }>(
    operation: string,
    call: () => Promise<T>
  ): Promise<T> {
    const startedAt = performance.now()
    const answer = await call()
    const ms = performance.now() - startedAt
    options.onCall?.({ operation, outcome: answer.outcome, ms })
    return answer
  }

  return {
    name: 'adyen',
    canExpress: (amount) => toAdyenAmount(amount) !== undefined,
    createHostedPage: (request, trace) => timed('sessions', () => sessions.create(request, trace)),
    findPageResult: (session, result, paymentId, deadlineMs) =>
      timed('session_result', () =>
        sessions.findResult({ session, result, paymentId, deadlineMs })
      ),
    requestOperation: (request) => timed(`${request.kind}s`, () => modifications.modify(request)),
    createPaymentLink: (request, trace) => timed('links', () => links.create(request, trace)),
    findLinkStatus: async (link) =>
      (await timed('link_status', () => links.findStatus(link))).outcome,
    expireLink: (link) => timed('link_expiry', () => links.expire(link)),
    createCardPayment: (request, trace) => timed('payments', () => charges.charge(request, trace)),
    finishCardPayment: (request, deadlineMs) =>
      timed('payment_details', () => charges.finish({ ...request, deadlineMs })),
    createRegistrationPage: (request, trace) =>
      timed('registrations', () => cards.openRegistration(request, trace)),
    listStoredCards: (accountId) => timed('stored_cards', () => cards.list(accountId)),
    forgetCard: (accountId, token) =>
      timed('stored_card_removals', () => cards.forget(accountId, token)),
    close: adyen.transport.close
  }
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
