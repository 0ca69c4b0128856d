import { fastify } from 'fastify'
import { challengeRoutes } from './challenge.routes.ts'
import { checkoutRoutes } from './checkout.routes.ts'
import type { Context } from './context.ts'
import { controlRoutes } from './control.routes.ts'
import { ADYEN_RETRY_DELAYS_MS, createCourier, resume, stop } from './delivery.ts'
import { createFaults } from './faults.ts'
import { homePage } from './home-page.ts'
import { linkRoutes } from './link.routes.ts'
import { pageRoutes } from './page.routes.ts'
import { setUpPages } from './page-setup.ts'
import { createPoster } from './poster.ts'
import { reportRoutes } from './reports.routes.ts'
import { openState } from './state.ts'

export type SimulatorOptions = {
  /** 0 takes any free port. */
  port: number
  host?: string
  /** Where sessions and undelivered webhooks are kept between runs; without it, in memory only. */
  dir?: string
  apiKey: string
  merchantAccount: string
  /** 64 hex digits. */
  hmacKey: string
  webhookUrl: string
  webhookUser?: string
  webhookPassword?: string
  /** Pauses before each retry of a webhook, in milliseconds; Adyen's own by default. */
  retryDelaysMs?: number[]
  /** From an event to its webhook, in milliseconds. */
  webhookDelayMs?: number
  /** Whether webhooks tell about the card. */
  additionalData?: boolean
  /** 64 hex digits: the key of token webhooks; without it there are none. */
  tokenHmacKey?: string
  /** Whether a partial capture leaves the remainder to further ones; by default it is cancelled. */
  multiplePartialCaptures?: boolean
  /** Whether automatic captures without delay are notified; by default they are not. */
  automaticCaptureNotifications?: boolean
  /** Who may download reports, as `user:password`; without one the API key may. */
  reportUser?: string
}

export type Simulator = {
  /** `http://127.0.0.1:3001`; the Checkout API is under `/v72`. */
  url: string
  close: () => Promise<void>
}

/** Starts a server that behaves like Adyen: Checkout API, card page and webhooks. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { apiKey, merchantAccount, hmacKey, host = '127.0.0.1', additionalData = true } = options
  const { tokenHmacKey = null, multiplePartialCaptures = false } = options
  const { automaticCaptureNotifications = false } = options
  for (const key of [hmacKey, tokenHmacKey ?? hmacKey]) {
    if (!/^[0-9a-fA-F]{64}$/.test(key)) throw new Error('The HMAC key must be 64 hex digits')
  }

  const state = openState(options.dir)
  const faults = createFaults()
  const courier = createCourier({
    poster: createPoster(options.webhookUrl, credentialsOf(options)),
    state,
    faults,
    retryDelaysMs: options.retryDelaysMs ?? ADYEN_RETRY_DELAYS_MS,
    delayMs: options.webhookDelayMs ?? 50
  })
  const context: Context = {
    origin: '',
    apiKey,
    merchantAccount,
    hmacKey,
    additionalData,
    tokenHmacKey,
    multiplePartialCaptures,
    automaticCaptureNotifications,
    reportUser: options.reportUser ?? null,
    state,
    faults,
    courier,
    requests: [],
    keysInFlight: new Set()
  }

  const app = fastify({ forceCloseConnections: true })
  app.register(async (pages) => {
    setUpPages(pages)
    pages.get('/', (_, reply) => reply.send(homePage(context.origin)))
  })
  app.register(checkoutRoutes(context), { prefix: '/v72' })
  app.register(pageRoutes(context), { prefix: '/pay' })
  app.register(linkRoutes(context), { prefix: '/link' })
  app.register(challengeRoutes(context), { prefix: '/challenge' })
  app.register(reportRoutes(context), { prefix: '/reports/download' })
  app.register(controlRoutes(context), { prefix: '/_simulator' })
  context.origin = await app.listen({ port: options.port, host })
  // Only now: another simulator could hold the port, and then the journal is its own.
  state.startJournal()
  resume(courier)

  return {
    url: context.origin,
    close: async () => {
      stop(courier)
      await app.close()
      state.close()
    }
  }
}

function credentialsOf({ webhookUser, webhookPassword }: SimulatorOptions): string | null {
  return webhookUser === undefined ? null : `${webhookUser}:${webhookPassword ?? ''}`
}
