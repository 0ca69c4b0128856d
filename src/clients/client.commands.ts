/** The `client` command: makes, shows, changes and ends API clients and their keys. */
import { CommandFault, readArguments, usageFault } from '../command-line.ts'
import type { Db, Tx } from '../database/database.ts'
import {
  announceClientChange,
  endKey,
  expireKeys,
  findClientByName,
  hashKey,
  insertClient,
  insertKey,
  type ListedClient,
  type ListedKey,
  listClients,
  lockClient,
  newApiKey,
  revokeClient,
  updateClient
} from './client.store.ts'
import {
  type Client,
  isOAuthSubject,
  ownScopes,
  returnOriginFault,
  type Scope,
  scopes
} from './client.ts'

export const clientUsage = `
npm run client -- create --name NAME --scope SCOPE… [--return-origin ORIGIN]… [--third-party]
                         [--oauth SUBJECT]
npm run client -- list
npm run client -- show CLIENT
npm run client -- update CLIENT [--name NAME] [--scope SCOPE]… [--return-origin ORIGIN|none]…
                         [--third-party | --no-third-party] [--oauth SUBJECT]
npm run client -- rotate CLIENT [--grace-hours HOURS]
npm run client -- revoke-key CLIENT KEY
npm run client -- revoke CLIENT

  CLIENT           its name or its id
  KEY              as show has it, or the key itself
  --scope, --return-origin
                   once for each; what update is given takes the place of all that was there
  --return-origin  where browsers may return to, such as https://pay.example
  --third-party    sees only what it created itself
  --oauth          comes with access tokens of OAUTH_ISSUER whose client_id (or azp) this is:
                   create makes no key then, and update leaves the keys that it has
  --grace-hours    how long the old key still works, 0 to 9999, unless told otherwise 24
  --json           prints JSON, with every command but revoke and revoke-key
  --help           prints this

Scopes: ${scopes.slice(0, 6).join(' ')}
        ${scopes.slice(6).join(' ')}
`.trim()

const json = { json: { type: 'boolean' } } as const
const properties = {
  name: { type: 'string' },
  scope: { type: 'string', multiple: true },
  'return-origin': { type: 'string', multiple: true },
  'third-party': { type: 'boolean' },
  oauth: { type: 'string' }
} as const

/** What each action takes: options, and how many arguments that are none. */
const actions = {
  create: { options: { ...properties, ...json }, arguments: [] },
  list: { options: json, arguments: [] },
  show: { options: json, arguments: ['CLIENT'] },
  update: {
    options: { ...properties, 'no-third-party': { type: 'boolean' }, ...json },
    arguments: ['CLIENT']
  },
  rotate: { options: { 'grace-hours': { type: 'string' }, ...json }, arguments: ['CLIENT'] },
  'revoke-key': { options: {}, arguments: ['CLIENT', 'KEY'] },
  revoke: { options: {}, arguments: ['CLIENT'] }
} as const
type Action = keyof typeof actions

type Values = {
  name?: string
  scope?: string[]
  'return-origin'?: string[]
  'third-party'?: boolean
  oauth?: string
  'no-third-party'?: boolean
  'grace-hours'?: string
  json?: boolean
}

/** What is asked for; `name` and `key` are empty where the action takes none. */
type Asked = { action: Action; name: string; key: string; values: Values }

/** Reads the arguments; throws a `CommandFault`. */
export function readClientArguments(args: readonly string[]): Asked {
  const [action = '', ...rest] = args
  if (!Object.hasOwn(actions, action)) {
    const names = Object.keys(actions).join(', ')
    throw usageFault([`${action || 'client alone'} is not one of ${names}`], clientUsage)
  }
  const { options, arguments: needed } = actions[action as Action]
  const { values, positionals } = readArguments(rest, options, needed.length, clientUsage)
  const missing = needed.slice(positionals.length).map((one) => `${one} is missing`)
  if (missing.length > 0) throw usageFault(missing, clientUsage)
  const [name = '', key = ''] = positionals
  return { action: action as Action, name, key, values: values as Values }
}

/** Does it, and answers what is to be printed. `sandbox`: whether it is the sandbox's database. */
export async function runClientCommand(db: Db, asked: Asked, sandbox: boolean): Promise<string> {
  const { action, name, key, values } = asked
  switch (action) {
    case 'create':
      return await create(db, values, sandbox)
    case 'list': {
      const clients = await listClients(db)
      if (values.json) return JSON.stringify(clients.map(toJson))
      return clients.length === 0 ? 'No clients.' : clients.map(describe).join('\n\n')
    }
    case 'show':
      return print(await getClient(db, name), values)
    case 'update':
      return await update(db, name, values, sandbox)
    case 'rotate':
      return await rotate(db, name, values)
    case 'revoke-key':
      return await revokeKey(db, name, key)
    case 'revoke':
      return await revoke(db, name)
  }
}

async function create(db: Db, values: Values, sandbox: boolean): Promise<string> {
  const client = {
    name: values.name ?? '',
    scopes: [...new Set(values.scope)] as Scope[],
    thirdParty: values['third-party'] === true,
    returnOrigins: [...new Set(values['return-origin'])],
    oauthSubject: values.oauth ?? null
  }
  refuse(faultsOf(client, client.returnOrigins, sandbox))
  await refuseTaken(db, client)
  const key = values.oauth === undefined ? newApiKey() : undefined
  const id = await change(db, async (tx) => {
    const made = await insertClient(tx, client)
    if (key !== undefined) await insertKey(tx, made, key)
    return made
  })
  if (values.json) return JSON.stringify({ id, ...(key !== undefined && { key }) })
  if (key === undefined) {
    return `Client ${id} (${client.name})\nIt has no key: its tokens are those of ${values.oauth}.`
  }
  return `Client ${id} (${client.name})\nKey    ${key}\nThe key is shown only now: keep it.`
}

async function update(db: Db, nameOrId: string, values: Values, sandbox: boolean) {
  const { id } = await getClient(db, nameOrId)
  await change(db, async (tx) => {
    await lockClient(tx, id)
    const client = toChanged(await getClient(tx, id), values, sandbox)
    await refuseTaken(tx, client)
    await updateClient(tx, client)
  })
  return print(await getClient(db, id), values)
}

/** The client as it is to be; throws a `CommandFault` where it can't be so. */
function toChanged(known: ListedClient, values: Values, sandbox: boolean) {
  if (known.revokedAt !== null) throw new CommandFault(`Client ${known.id} is revoked.`)
  const { name, scope, 'return-origin': given, oauth } = values
  const origins = given && (given.join() === 'none' ? [] : [...new Set(given)])
  const client = {
    ...known,
    ...(name !== undefined && { name }),
    ...(scope !== undefined && { scopes: [...new Set(scope)] as Scope[] }),
    ...(origins !== undefined && { returnOrigins: origins }),
    ...(oauth !== undefined && { oauthSubject: oauth }),
    ...(values['third-party'] && { thirdParty: true }),
    ...(values['no-third-party'] && { thirdParty: false })
  }
  refuse([
    ...(Object.keys(values).every((one) => one === 'json') ? ['Nothing is to be changed'] : []),
    ...(values['third-party'] && values['no-third-party']
      ? ['--third-party and --no-third-party are given both']
      : []),
    ...faultsOf(client, origins ?? [], sandbox)
  ])
  return client
}

type AskedClient = Omit<Client, 'id'> & { id?: string; oauthSubject: string | null }

/** What is wrong with a client that is asked for; `origins`: those that are new. */
function faultsOf(client: AskedClient, origins: readonly string[], sandbox: boolean) {
  const faults: string[] = []
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(client.name)) {
    faults.push('--name needs 1 to 63 characters of a-z, 0-9, dot, dash and underscore')
  }
  if (client.scopes.length === 0) faults.push('--scope is needed at least once')
  for (const one of client.scopes) {
    if (!scopes.includes(one)) faults.push(`--scope ${one} is none of the scopes`)
    else if (client.thirdParty && ownScopes.includes(one)) {
      faults.push(`--scope ${one} is not given to a third party`)
    }
  }
  if (client.oauthSubject !== null && !isOAuthSubject(client.oauthSubject)) {
    faults.push('--oauth needs 1 to 255 visible ASCII characters')
  }
  for (const origin of origins) {
    const fault = returnOriginFault(origin, sandbox)
    if (fault !== undefined) faults.push(`--return-origin ${origin} ${fault}`)
  }
  return faults
}

function refuse(faults: readonly string[]): void {
  if (faults.length > 0) throw new CommandFault(faults.join('\n'), 2)
}

/** A client that was revoked keeps its name and its subject, and leaves them to another. */
async function refuseTaken(db: Db, { id, name, oauthSubject }: AskedClient): Promise<void> {
  const others = (await listClients(db)).filter((one) => one.revokedAt === null && one.id !== id)
  if (others.some((one) => one.name === name)) {
    throw new CommandFault(`A client named ${name} exists: update it, or take another name.`)
  }
  const known = others.find((one) => oauthSubject !== null && one.oauthSubject === oauthSubject)
  if (known === undefined) return
  throw new CommandFault(`The tokens of ${oauthSubject} are those of the client ${known.name}.`)
}

async function rotate(db: Db, name: string, values: Values): Promise<string> {
  const { 'grace-hours': hours = '24' } = values
  if (!/^\d{1,4}$/.test(hours)) refuse(['--grace-hours needs a number of hours, 0 to 9999'])
  const { id, revokedAt, oauthSubject, keys: known } = await getClient(db, name)
  if (revokedAt !== null) throw new CommandFault(`Client ${id} is revoked: no key of it can work.`)
  if (oauthSubject !== null && known.every(({ hasEnded }) => hasEnded)) {
    throw new CommandFault(`Client ${id} has no key: its tokens are those of ${oauthSubject}.`)
  }
  const key = newApiKey()
  await change(db, async (tx) => {
    await expireKeys(tx, id, Number(hours))
    await insertKey(tx, id, key)
  })
  if (values.json) return JSON.stringify({ id, key })
  const { keys } = await getClient(db, id)
  const old = keys.filter(({ hash, hasEnded }) => !hasEnded && !hash.equals(hashKey(key)))
  return [`Key    ${key}`, 'It is shown only now. Of the others', ...old.map(describeKey)].join(
    '\n'
  )
}

async function revokeKey(db: Db, name: string, text: string): Promise<string> {
  const { keys } = await getClient(db, name)
  const named = keys.filter(({ hash, ...key }) => {
    return hash.equals(hashKey(text)) || nameOf({ hash, ...key }) === text.replace(/…$/, '')
  })
  const [key] = named
  if (key === undefined || named.length > 1) {
    const known = keys.map((one) => nameOf(one)).join(', ')
    throw new CommandFault(`The client has ${named.length} keys of this name. It has ${known}.`)
  }
  const ended = await change(db, (tx) => endKey(tx, key.hash))
  const left = keys.filter((one) => !one.hasEnded && one !== key).length
  return ended
    ? `Key ${nameOf(key)} has ended. The client has ${left} that work${left === 1 ? 's' : ''}.`
    : `Key ${nameOf(key)} had ended before.`
}

async function revoke(db: Db, name: string): Promise<string> {
  const { id } = await getClient(db, name)
  const revoked = await change(db, (tx) => revokeClient(tx, id))
  return revoked ? `Client ${id} is revoked.` : `Client ${id} was revoked before.`
}

/** In one transaction, at whose commit every instance forgets what it knew of clients. */
async function change<T>(db: Db, work: (tx: Tx) => Promise<T>): Promise<T> {
  return await db.transaction().execute(async (tx) => {
    await announceClientChange(tx)
    return await work(tx)
  })
}

async function getClient(db: Db, name: string): Promise<ListedClient> {
  const client = await findClientByName(db, name)
  if (client === undefined) throw new CommandFault(`No client is named ${name}.`)
  return client
}

function print(client: ListedClient, values: Values): string {
  return values.json ? JSON.stringify(toJson(client)) : describe(client)
}

function toJson({ keys, ...client }: ListedClient) {
  const shown = keys.map((key) => {
    const { createdAt, lastUsedAt, expiresAt, hasEnded } = key
    return { key: nameOf(key), createdAt, lastUsedAt, expiresAt, hasEnded }
  })
  return { ...client, keys: shown }
}

function describe(client: ListedClient): string {
  const { id, name, scopes, thirdParty, returnOrigins, oauthSubject, revokedAt, keys } = client
  const marks = `${thirdParty ? '  third party' : ''}${revokedAt ? '  REVOKED' : ''}`
  return [
    `${id}  ${name}${marks}`,
    `  ${scopes.join(' ')}`,
    ...(returnOrigins.length > 0 ? [`  ${returnOrigins.join(' ')}`] : []),
    ...(oauthSubject === null ? [] : [`  tokens of ${oauthSubject}`]),
    ...keys.map(describeKey)
  ].join('\n')
}

function describeKey(key: ListedKey): string {
  const { createdAt, lastUsedAt, expiresAt, hasEnded } = key
  const used = lastUsedAt === null ? 'not used' : `last used ${toText(lastUsedAt)}`
  const end = expiresAt === null ? 'no end' : `${hasEnded ? 'ended' : 'ends'} ${toText(expiresAt)}`
  return `  ${nameOf(key)}…  created ${toText(createdAt)}, ${used}, ${end}`
}

/** How people name a key that they can't be shown any more. */
function nameOf({ prefix, hash }: ListedKey): string {
  return prefix ?? `sha256:${hash.toString('hex').slice(0, 12)}`
}

function toText(time: Date): string {
  return `${time.toISOString().slice(0, 16)}Z`
}
