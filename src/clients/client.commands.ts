/** The `client` command: makes, lists, revokes and rotates API clients in the database. */
import { parseArgs } from 'node:util'
import type { Db } from '../database/database.ts'
import {
  announceClientChange,
  expireKeys,
  findClientByName,
  insertClient,
  insertKey,
  type ListedClient,
  listClients,
  newApiKey,
  revokeClient
} from './client.store.ts'
import { type Client, ownScopes, type Scope, scopes } from './client.ts'

/** What the user did wrong, in words for the user. */
export class UsageFault extends Error {}

const clientUsage = `
npm run client -- create --name NAME --scope SCOPE [--scope SCOPE]… [--third-party]
                         [--return-origin https://pay.example]… [--json]
npm run client -- list [--json]
npm run client -- rotate NAME|ID [--grace-hours 24] [--json]
npm run client -- revoke NAME|ID

Scopes: ${scopes.join(' ')}
`.trim()

/** After a rotation the old key works for this long, unless asked otherwise. */
const graceHoursDefault = '24'

const options = {
  name: { type: 'string' },
  scope: { type: 'string', multiple: true },
  'third-party': { type: 'boolean' },
  'return-origin': { type: 'string', multiple: true },
  'grace-hours': { type: 'string' },
  json: { type: 'boolean' }
} as const

/** Runs the command; answers what is to be printed. Throws `UsageFault`. */
export async function runClientCommand(db: Db, args: readonly string[]): Promise<string> {
  const { values, positionals } = parse(args)
  const { json = false } = values
  const [action, name = ''] = positionals
  switch (action) {
    case 'create':
      return await create(db, toClient(values), json)
    case 'list':
      return show(await listClients(db), json)
    case 'rotate':
      return await rotate(db, name, values['grace-hours'] ?? graceHoursDefault, json)
    case 'revoke':
      return await revoke(db, name)
    default:
      throw new UsageFault(clientUsage)
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new UsageFault(`${(error as Error).message}\n\n${clientUsage}`)
  }
}

type Values = ReturnType<typeof parse>['values']

/** All faults at once. */
function toClient(values: Values): Omit<Client, 'id'> {
  const { name = '', scope: asked = [], 'return-origin': origins = [] } = values
  const thirdParty = values['third-party'] === true
  const faults: string[] = []
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)) {
    faults.push('--name needs 1 to 63 characters of a-z, 0-9, dot, dash and underscore')
  }
  if (asked.length === 0) faults.push('--scope is needed at least once')
  for (const one of asked) {
    if (!scopes.includes(one as Scope)) faults.push(`--scope ${one} is none of the scopes`)
    else if (thirdParty && ownScopes.includes(one as Scope)) {
      faults.push(`--scope ${one} is not given to a third party`)
    }
  }
  for (const origin of origins) {
    if (
      !URL.canParse(origin) ||
      new URL(origin).origin !== origin ||
      !origin.startsWith('https:')
    ) {
      faults.push(`--return-origin ${origin} must be an https origin, such as https://pay.example`)
    }
  }
  if (faults.length > 0) throw new UsageFault(faults.join('\n'))
  return {
    name,
    scopes: [...new Set(asked as Scope[])],
    thirdParty,
    returnOrigins: [...new Set(origins)]
  }
}

async function create(db: Db, client: Omit<Client, 'id'>, json: boolean): Promise<string> {
  if ((await findClientByName(db, client.name)) !== undefined) {
    throw new UsageFault(
      `A client named ${client.name} exists; rotate its key, or take another name.`
    )
  }
  const key = newApiKey()
  const id = await db.transaction().execute(async (tx) => {
    const made = await insertClient(tx, client)
    await insertKey(tx, made, key)
    await announceClientChange(tx)
    return made
  })
  if (json) return JSON.stringify({ id, key })
  return `Client ${id} (${client.name})\nKey    ${key}\nThe key is shown only now: keep it.`
}

async function rotate(db: Db, name: string, graceHours: string, json: boolean): Promise<string> {
  if (!/^\d{1,4}$/.test(graceHours)) throw new UsageFault('--grace-hours needs a number of hours')
  const { id, revokedAt } = await getClient(db, name)
  if (revokedAt !== null) throw new UsageFault(`Client ${id} is revoked: no key of it can work.`)
  const key = newApiKey()
  const until = await db.transaction().execute(async (tx) => {
    const end = await expireKeys(tx, id, Number(graceHours))
    await insertKey(tx, id, key)
    await announceClientChange(tx)
    return end
  })
  if (json) return JSON.stringify({ id, key })
  return `Key    ${key}\nIt is shown only now. The old key works until ${until.toISOString()}.`
}

async function revoke(db: Db, name: string): Promise<string> {
  const { id } = await getClient(db, name)
  const revoked = await db.transaction().execute(async (tx) => {
    await announceClientChange(tx)
    return await revokeClient(tx, id)
  })
  return revoked ? `Client ${id} is revoked.` : `Client ${id} was revoked before.`
}

async function getClient(db: Db, name: string): Promise<ListedClient> {
  const client = name === '' ? undefined : await findClientByName(db, name)
  if (client === undefined) throw new UsageFault(`No client is named ${name || '(nothing)'}.`)
  return client
}

function show(clients: readonly ListedClient[], json: boolean): string {
  if (json) return JSON.stringify(clients)
  if (clients.length === 0) return 'No clients.'
  return clients
    .map(
      ({ id, name, scopes, thirdParty, returnOrigins, revokedAt }) =>
        `${id}  ${name}${thirdParty ? '  third party' : ''}${revokedAt ? '  REVOKED' : ''}\n` +
        `  ${scopes.join(' ')}${returnOrigins.length > 0 ? `\n  ${returnOrigins.join(' ')}` : ''}`
    )
    .join('\n')
}
