import type { Db, Tx } from '../database/database.ts'
import { recordOtherEvents } from '../events/event.store.ts'
import { answerOnce, type OnceAnswer } from '../http/idempotency.commands.ts'
import { type Claim, findKey } from '../http/idempotency.store.ts'
import { checkPrecondition, etagOf, type Precondition } from '../http/precondition.ts'
import { newId } from '../id.ts'
import { testType } from '../payments/event.ts'
import { Problem } from '../problem.ts'
import type { Context } from '../service-context.ts'
import { findDelivery } from './delivery-list.store.ts'
import {
  insertTest,
  isMoreThan,
  type Range,
  replayEvents,
  restartDelivery
} from './replay.store.ts'
import type { Sealing } from './sealing.ts'
import {
  countEndpoints,
  deleteEndpoint,
  disableEndpoint,
  findEndpoint,
  insertEndpoint,
  type NewEndpoint,
  rotateSecret,
  saveEndpoint
} from './webhook.store.ts'
import {
  type DisabledReason,
  disabledType,
  type EndpointFormat,
  type EndpointStatus,
  everyEvent,
  toDeliveryView,
  toEndpointView,
  type WebhookEndpoint
} from './webhook.ts'
import { newSecret } from './webhook-signature.ts'

/** An old secret signs this long after its rotation. */
const oldSecretS = 24 * 60 * 60

/** As many events as one request replays: a statement of a second or so. */
const replayMax = 10_000
/** As many endpoints of one client: each event is written once for each. */
const endpointsMax = 20

type EndpointAsked = Pick<WebhookEndpoint, 'url' | 'events' | 'description' | 'format' | 'query'>

/**
 * The saved answer holds the secret, as the endpoint does: whoever lost the first answer gets it
 * again under the key, and nobody else. A rotation makes what was saved worthless.
 */
export async function createEndpoint(
  { db, checkUrl, sealing }: Pick<Context, 'db' | 'checkUrl' | 'sealing'>,
  claim: Claim,
  asked: EndpointAsked
): Promise<OnceAnswer> {
  const { clientId } = claim
  // A repetition is answered whatever the name of its host has come to mean.
  if ((await findKey(db, clientId, claim.key)) === undefined) {
    refuseMixedEvents(asked.events)
    await refuseUrl(checkUrl, asked.url)
  }
  const id = newId('whe')
  const answer = await answerOnce(db, claim, id, async (tx) => {
    const secret = sealing.seal(newSecret(), id)
    const endpoint = await addEndpoint(tx, { id, clientId, ...asked, secret })
    return { status: 201, body: JSON.stringify({ ...toEndpointView(endpoint), secret }) }
  })
  return withOpenSecret(sealing, answer)
}

/**
 * One that no key guards against being made twice. Answers it with its secret. `at`: where a fault
 * of the address is.
 */
export async function subscribe(
  { db, checkUrl, sealing }: Pick<Context, 'db' | 'checkUrl' | 'sealing'>,
  clientId: string,
  asked: EndpointAsked,
  at: string
): Promise<{ endpoint: WebhookEndpoint; secret: string }> {
  await refuseUrl(checkUrl, asked.url, at)
  const id = newId('whe')
  const secret = newSecret()
  const kept = { id, clientId, ...asked, secret: sealing.seal(secret, id) }
  return await db
    .transaction()
    .execute(async (tx) => ({ endpoint: await addEndpoint(tx, kept), secret }))
}

async function addEndpoint(tx: Tx, endpoint: NewEndpoint): Promise<WebhookEndpoint> {
  if ((await countEndpoints(tx, endpoint.clientId)) >= endpointsMax) {
    throw new Problem('webhook_endpoint_limit', `There are ${endpointsMax} of them already.`)
  }
  return await insertEndpoint(tx, endpoint)
}

/** What was saved holds the secret as the database keeps it. */
function withOpenSecret(sealing: Sealing, answer: OnceAnswer, endpointId?: string): OnceAnswer {
  const saved = JSON.parse(answer.body) as { id?: string; secret: string }
  const secret = sealing.open(saved.secret, endpointId ?? String(saved.id))
  return { ...answer, body: JSON.stringify({ ...saved, secret }) }
}

type EndpointChange = {
  url?: string | undefined
  events?: string[] | undefined
  description?: string | null | undefined
  format?: EndpointFormat | undefined
  status?: EndpointStatus | undefined
}

/** What is left out stays. Disabling fails what is pending; enabling starts with new events. */
export async function changeEndpoint(
  { db, checkUrl }: Pick<Context, 'db' | 'checkUrl'>,
  clientId: string,
  id: string,
  change: EndpointChange,
  precondition: Precondition = {}
): Promise<WebhookEndpoint> {
  // One that is not there says so, whatever it was to become.
  if ((await findEndpoint(db, id, clientId)) === undefined) throw notFound()
  refuseMixedEvents(change.events ?? [])
  if (change.url !== undefined) await refuseUrl(checkUrl, change.url)
  return await db.transaction().execute(async (tx) => {
    const endpoint = await findEndpoint(tx, id, clientId, 'change')
    if (endpoint === undefined) throw notFound()
    checkPrecondition(precondition, endpointETag(endpoint))
    refuseChangeOfHub(endpoint, change)
    const { status = endpoint.status } = change
    const changed: WebhookEndpoint = {
      ...endpoint,
      url: change.url ?? endpoint.url,
      events: change.events ?? endpoint.events,
      description: change.description === undefined ? endpoint.description : change.description,
      format: change.format ?? endpoint.format,
      status,
      disabledReason: status === 'enabled' ? null : (endpoint.disabledReason ?? 'client')
    }
    await saveEndpoint(tx, changed)
    return changed
  })
}

export async function removeEndpoint(
  db: Db,
  clientId: string,
  id: string,
  precondition: Precondition = {}
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const endpoint = await findEndpoint(tx, id, clientId, 'change')
    if (endpoint === undefined) throw notFound()
    checkPrecondition(precondition, endpointETag(endpoint))
    await deleteEndpoint(tx, id, clientId)
  })
}

function endpointETag(endpoint: WebhookEndpoint): string {
  return etagOf(JSON.stringify(toEndpointView(endpoint)))
}

export async function rotateEndpointSecret(
  { db, sealing }: Pick<Context, 'db' | 'sealing'>,
  claim: Claim,
  id: string
): Promise<OnceAnswer> {
  const answer = await answerOnce(db, claim, id, async (tx) => {
    const secret = sealing.seal(newSecret(), id)
    const { clientId } = claim
    if (!(await rotateSecret(tx, { id, clientId, secret }, oldSecretS))) throw notFound()
    return { status: 200, body: JSON.stringify({ secret }) }
  })
  return withOpenSecret(sealing, answer, id)
}

/** An event of no meaning, tried once. */
export async function testEndpoint(
  { db, wake }: Pick<Context, 'db' | 'wake'>,
  claim: Claim,
  id: string
): Promise<OnceAnswer> {
  const answer = await answerOnce(db, claim, id, async (tx) => {
    await requireEnabled(tx, id, claim.clientId)
    const delivery = await insertTest(tx, id, { id: newId('evt'), type: testType })
    return { status: 202, body: JSON.stringify(toDeliveryView(delivery)) }
  })
  wake('deliver_webhooks')
  return answer
}

export async function replayToEndpoint(
  { db, wake }: Pick<Context, 'db' | 'wake'>,
  claim: Claim,
  id: string,
  { range, visibleTo }: { range: Range; visibleTo: string | null }
): Promise<OnceAnswer> {
  const answer = await answerOnce(db, claim, id, async (tx) => {
    await requireEnabled(tx, id, claim.clientId)
    if (range.from >= range.to) throw badRange('must be after from')
    const replayed = { endpointId: id, clientId: visibleTo, range }
    if (await isMoreThan(tx, replayed, replayMax)) {
      throw badRange(`is more than ${replayMax} events after from: send several ranges`)
    }
    const count = await replayEvents(tx, replayed)
    return { status: 202, body: JSON.stringify({ count }) }
  })
  wake('deliver_webhooks')
  return answer
}

export async function retryDelivery(
  { db, wake }: Pick<Context, 'db' | 'wake'>,
  claim: Claim,
  id: string
): Promise<OnceAnswer> {
  const { clientId } = claim
  const answer = await answerOnce(db, claim, id, async (tx) => {
    const known = await findDelivery(tx, id, clientId)
    if (known === undefined) throw new Problem('delivery_not_found', 'No delivery has this id.')
    const endpoint = await findEndpoint(tx, known.endpointId, clientId, 'keep')
    if (endpoint?.status !== 'enabled') throw disabled()
    await restartDelivery(tx, id)
    const delivery = await findDelivery(tx, id, clientId)
    return { status: 202, body: JSON.stringify(toDeliveryView(delivery ?? known)) }
  })
  wake('deliver_webhooks')
  return answer
}

/**
 * Disables an endpoint by what it did, and says so in the feed; `failingForS`: only where nothing
 * but failures came for so long. False where it was disabled already, or need not be.
 */
export async function giveUpEndpoint(
  db: Db,
  id: string,
  reason: DisabledReason,
  failingForS: number | null
): Promise<boolean> {
  return await db.transaction().execute(async (tx) => {
    const given = await disableEndpoint(tx, id, reason, failingForS)
    if (given === undefined) return false
    const data = { webhookEndpointId: id, reason }
    const { clientId } = given
    await recordOtherEvents(tx, [{ type: disabledType, accountId: null, clientId, data }])
    return true
  })
}

async function requireEnabled(tx: Tx, id: string, clientId: string): Promise<void> {
  const endpoint = await findEndpoint(tx, id, clientId, 'keep')
  if (endpoint === undefined) throw notFound()
  if (endpoint.status !== 'enabled') throw disabled()
}

function notFound(): Problem {
  return new Problem('webhook_endpoint_not_found', 'No webhook endpoint has this id.')
}

function disabled(): Problem {
  return new Problem('webhook_endpoint_disabled', 'Nothing is sent to this endpoint.')
}

function badRange(detail: string): Problem {
  const errors = [{ pointer: '/to', detail }]
  return new Problem('request_invalid', 'A fault in the body.', { errors })
}

function refuseMixedEvents(events: readonly string[]): void {
  if (!events.includes(everyEvent) || events.length === 1) return
  throw new Problem('request_invalid', 'A fault in the body.', {
    errors: [{ pointer: '/events', detail: 'must be * alone, or types of events' }]
  })
}

/** What a subscriber to the hub takes, and how, it said there. */
function refuseChangeOfHub({ format }: WebhookEndpoint, change: EndpointChange): void {
  if (format !== 'tmf676') return
  const names = (['events', 'format'] as const).filter((name) => change[name] !== undefined)
  if (names.length === 0) return
  const detail = 'is of the hub of TMF676: subscribe there again'
  const errors = names.map((name) => ({ pointer: `/${name}`, detail }))
  throw new Problem('request_invalid', 'A fault in the body.', { errors })
}

async function refuseUrl(checkUrl: Context['checkUrl'], url: string, at = '/url'): Promise<void> {
  const fault = await checkUrl(url)
  if (fault === null) return
  throw new Problem('webhook_url_refused', fault, { errors: [{ pointer: at, detail: fault }] })
}
