import { readFile, writeFile } from 'node:fs/promises'
import { pino } from 'pino'
import { apiDocuments, buildApp } from './app.ts'
import { type ProductionConfig, readConfig } from './config.ts'
import { documentOf } from './openapi/openapi.plugin.ts'
import { toYaml } from './openapi/openapi-yaml.reader.ts'
import { createContext } from './service.ts'

const fileOf = (name: string) => new URL(`../openapi/${name}`, import.meta.url)

/** A configuration that is complete and leads nowhere. */
const env = {
  DATABASE_URL: 'postgresql://nobody@localhost/none',
  PUBLIC_URL: 'http://127.0.0.1:3000',
  ADYEN_ENVIRONMENT: 'TEST',
  ADYEN_API_KEY: 'none',
  ADYEN_MERCHANT_ACCOUNT: 'none',
  ADYEN_HMAC_KEYS: '0'.repeat(64)
}

/** The documents by the names of their files, as the routes say them. Nothing is connected to. */
export async function renderOpenApi(): Promise<Map<string, string>> {
  const config = readConfig(env) as ProductionConfig
  const log = pino({ level: 'silent' })
  const context = createContext({ ...config, sandbox: false, log })
  const app = await buildApp(context)
  await app.ready()
  const texts = apiDocuments.map((one) => [one.file, toYaml(documentOf(app, one))] as const)
  await app.close()
  await context.db.destroy()
  return new Map(texts)
}

/** Writes openapi/; with `check` it only says whether the files are what the routes say. */
export async function writeOpenApi(check: boolean): Promise<boolean> {
  for (const [name, text] of await renderOpenApi()) {
    const file = fileOf(name)
    if (!check) await writeFile(file, text)
    else if (text !== (await readFile(file, 'utf8').catch(() => ''))) return false
  }
  return true
}
