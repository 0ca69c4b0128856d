import { readFile, writeFile } from 'node:fs/promises'
import { pino } from 'pino'
import { buildApp } from './app.ts'
import { type ProductionConfig, readConfig } from './config.ts'
import { createContext } from './service.ts'

const file = new URL('../openapi/payments.v1.yaml', import.meta.url)

/** A configuration that is complete and leads nowhere. */
const env = {
  DATABASE_URL: 'postgresql://nobody@localhost/none',
  PUBLIC_URL: 'http://127.0.0.1:3000',
  ADYEN_ENVIRONMENT: 'TEST',
  ADYEN_API_KEY: 'none',
  ADYEN_MERCHANT_ACCOUNT: 'none',
  ADYEN_HMAC_KEYS: '0'.repeat(64)
}

/** The document as the routes say it. Nothing is connected to. */
export async function renderOpenApi(): Promise<string> {
  const config = readConfig(env) as ProductionConfig
  const log = pino({ level: 'silent' })
  const context = createContext({ ...config, sandbox: false, log })
  const app = await buildApp(context)
  await app.ready()
  const text = app.swagger({ yaml: true })
  await app.close()
  await context.db.destroy()
  return text
}

/** Writes openapi/; with `check` it only says whether the file is what the routes say. */
export async function writeOpenApi(check: boolean): Promise<boolean> {
  const text = await renderOpenApi()
  if (check) return text === (await readFile(file, 'utf8').catch(() => ''))
  await writeFile(file, text)
  return true
}
