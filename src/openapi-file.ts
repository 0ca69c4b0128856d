import { readFile, writeFile } from 'node:fs/promises'
import { pino } from 'pino'
import { createAdyenProvider } from './adyen/adyen.provider.ts'
import { buildApp } from './app.ts'
import { connect } from './database/database.ts'
import { createClientCache } from './http/auth.plugin.ts'
import { createWaiters } from './payments/waiters.commands.ts'

const file = new URL('../openapi/payments.v1.yaml', import.meta.url)

/** The document as the routes say it. Nothing is connected to. */
export async function renderOpenApi(): Promise<string> {
  const db = connect('postgresql://nobody@localhost/none')
  const provider = createAdyenProvider({
    environment: 'TEST',
    apiKey: '',
    merchantAccount: '',
    timeoutMs: 1
  })
  const shared = { db, provider, publicUrl: 'http://127.0.0.1:3000', leaseS: 1 }
  const app = await buildApp({
    payments: {
      ...shared,
      sandbox: false,
      paymentMaxValue: 1,
      duplicateWindowS: 0,
      moto: false,
      wakeSync: () => {}
    },
    waiters: createWaiters(db, () => {}),
    webhooks: { checkUrl: async () => null, wake: () => {} },
    feed: { providerName: provider.name, untilAnnounced: async () => undefined },
    operations: {
      db,
      providerName: provider.name,
      canExpress: provider.canExpress,
      multiplePartialCaptures: false,
      refundApprovalAbove: null,
      wake: () => {}
    },
    records: { db, providerName: provider.name, duplicateWindowS: 0 },
    cards: shared,
    notifications: {
      merchantAccount: '',
      live: false,
      hmacKeys: [],
      tokenHmacKeys: [],
      basicAuth: undefined,
      wake: () => {},
      onReceived: () => {}
    },
    wakeReports: () => {},
    clients: createClientCache(db),
    findFault: async () => undefined,
    onAnswer: () => {},
    log: pino({ level: 'silent' })
  })
  await app.ready()
  const text = app.swagger({ yaml: true })
  await app.close()
  await db.destroy()
  return text
}

/** Writes openapi/; with `check` it only says whether the file is what the routes say. */
export async function writeOpenApi(check: boolean): Promise<boolean> {
  const text = await renderOpenApi()
  if (check) return text === (await readFile(file, 'utf8').catch(() => ''))
  await writeFile(file, text)
  return true
}
