import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Client, createClient } from '../clients/typescript/src/index.ts'

/**
 * A client of the service at API_URL with API_KEY; without these, of the sandbox on this machine
 * with the key that it keeps in SANDBOX_DIR.
 */
export async function connect(env: NodeJS.ProcessEnv): Promise<Client> {
  const { API_URL: baseUrl = 'http://127.0.0.1:3000', API_KEY, SANDBOX_DIR = '.sandbox' } = env
  const key =
    API_KEY ?? JSON.parse(await readFile(join(SANDBOX_DIR, 'secrets.json'), 'utf8')).demoKey
  return createClient({ baseUrl, key })
}
