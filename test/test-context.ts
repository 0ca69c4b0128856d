import { pino } from 'pino'
import { type ProductionConfig, readConfig } from '../src/config.ts'
import type { Db } from '../src/database/database.ts'
import { createContext } from '../src/service.ts'
import type { Context } from '../src/service-context.ts'

/** For commands that a test calls as they are: works on `db`, and leads nowhere else. */
export function testContext(db: Db, changes: Partial<Context> = {}): Context {
  const config = readConfig({
    DATABASE_URL: 'postgresql://nobody@localhost/none',
    PUBLIC_URL: 'http://127.0.0.1:3000',
    ADYEN_ENVIRONMENT: 'TEST',
    ADYEN_API_KEY: 'none',
    ADYEN_MERCHANT_ACCOUNT: 'TestMerchant',
    ADYEN_HMAC_KEYS: '0'.repeat(64)
  }) as ProductionConfig
  const context = createContext({ ...config, sandbox: true, log: pino({ level: 'silent' }) })
  return { ...context, db, reads: db, inbox: db, ...changes }
}
