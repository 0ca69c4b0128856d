/** One history while it happens: an account, what was asked about it, and what was answered. */
import type { Dispatcher } from 'undici'
import { request } from 'undici'
import type { Instance } from './instances.ts'
import type { Wire } from './wire.ts'

/** What a group of histories shares. */
export type Group = {
  agent: Dispatcher
  instances: readonly Instance[]
  simulatorUrl: string
  wire: Wire
  keys: Keys
  /** Is told of each step, so that what happens to all comes in the middle of them. */
  onStep(what: string): void
}

/** API keys: of a client that sees all, and of two third parties that see their own. */
export type Keys = { house: string; third: string; stranger: string }

// biome-ignore lint/suspicious/noExplicitAny: what is answered is what is looked at.
export type Body = any
export type Answer = { status: number; text: string; body: Body; replayed: boolean; etag: string }

/** A request under an idempotency key; once it has an answer for good, that is its only one. */
export type Asked = {
  path: string
  body: Record<string, unknown>
  key: string
  answer: Answer | undefined
}

/** What the history knows of a payment that it has asked for. */
export type Known = {
  asked: Asked
  value: number
  method: 'hostedPage' | 'paymentLink' | 'registeredCard'
  isManual: boolean
  /** What of its money came back or failed at Adyen, so that sums here say nothing. */
  isDisturbed: boolean
  /** The customer has paid at Adyen. */
  isPaid: boolean
  /** Where the browser goes after the page. */
  redirect: string | null
  refunds: Asked[]
}

export type World = {
  group: Group
  /** Its place among those of the group. */
  place: number
  account: string
  /** Whose the payments are. */
  client: 'house' | 'third'
  payments: Known[]
  /** All that was asked for, in this order. */
  asked: Asked[]
  /** What was charged, and what others have taken, minor units. */
  charged: number
  recorded: number
  count: number
  /** The steps that it has taken. */
  taken: string[]
}

/** What may not be: the history has found a fault. */
export class Violation extends Error {}

const firstAccount = 20_000_000

export function newWorld(group: Group, place: number, client: World['client']): World {
  const own = { payments: [], asked: [], charged: 0, recorded: 0, count: 0, taken: [] }
  return { group, place, account: String(firstAccount + place), client, ...own }
}

const answerWithinMs = 10_000

type Call = {
  body?: unknown
  key?: string
  idempotencyKey?: string
  headers?: Record<string, string>
}

/** Asks an instance, as the history's client; undefined where no answer came. */
export async function call(
  { group, client }: Pick<World, 'group' | 'client'>,
  at: number,
  method: string,
  path: string,
  { body, key = group.keys[client], idempotencyKey, headers }: Call = {}
): Promise<Answer | undefined> {
  const instance = group.instances[at % group.instances.length] as Instance
  const sent = body === undefined ? undefined : JSON.stringify(body)
  const answer = await request(instance.url + path, {
    dispatcher: group.agent,
    method: method as 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      ...(sent !== undefined && { 'content-type': 'application/json' }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      ...headers
    },
    ...(sent !== undefined && { body: sent }),
    signal: AbortSignal.timeout(answerWithinMs)
  })
    .then(async ({ statusCode: status, headers, body }) => {
      const text = await body.text()
      const [replayed, etag] = [headers['idempotent-replayed'] === 'true', String(headers.etag)]
      return { status, text, body: parse(text), replayed, etag }
    })
    .catch(() => undefined)
  if (answer !== undefined && (answer.status === 500 || answer.status === 401)) {
    throw new Violation(`${method} ${path} was answered ${answer.status}: ${answer.text}`)
  }
  return answer
}

/** Tells the simulator something, or asks it. */
export async function control(
  { group }: Pick<World, 'group'>,
  method: string,
  path: string,
  body?: unknown
): Promise<Body> {
  const answer = await request(`${group.simulatorUrl}/_simulator/${path}`, {
    dispatcher: group.agent,
    method: method as 'POST',
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body)
    })
  })
  return parse(await answer.body.text())
}

/** Whether an answer is the last word; else the same is asked again under the same key. */
function isForGood({ status, body }: Answer): boolean {
  return status < 500 && status !== 429 && body?.code !== 'idempotency_key_in_flight'
}

/** Asks for it, for the first time or again. Throws a `Violation` where it is answered anew. */
export async function ask(world: World, asked: Asked, at: number): Promise<Answer | undefined> {
  const { path, body, key: idempotencyKey } = asked
  const answer = await call(world, at, 'POST', path, { body, idempotencyKey })
  if (answer === undefined || !isForGood(answer)) return undefined
  const before = asked.answer
  if (before === undefined) asked.answer = answer
  else if (before.status < 300 && before.text !== answer.text) {
    throw new Violation(`${idempotencyKey} was answered ${before.text} and then ${answer.text}`)
  }
  return answer
}

export function newAsked(world: World, path: string, body: Record<string, unknown>): Asked {
  world.count += 1
  const asked = { path, body, key: `${world.account}-${world.count}`, answer: undefined }
  world.asked.push(asked)
  return asked
}

/** The id of a payment, once it was answered. */
export const idOf = ({ asked }: Known): string | undefined =>
  asked.answer?.status === 201 ? asked.answer.body.id : undefined

export function insist(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Violation(what)
}

function parse(text: string): Body {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
