/**
 * The wires between the service and Adyen, in both directions. A fault is armed for the payments of
 * one account, strikes its next call or notification, and is gone. It knows whose a message is by
 * the account and the references that it has seen before.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Agent, request } from 'undici'
import type { Cleaner } from '../bench/processes.ts'
import { cut } from '../sandbox/simulator/cut.ts'
import { serve } from './serve.ts'

/** What happens to a call of the service to Adyen. */
export const callFaults = [
  ...(['reset', 'unavailable', 'html', 'slow'] as const),
  ...(['hangAfter', 'resetAfter', 'errorAfter', 'truncated', 'empty'] as const),
  ...(['crashBefore', 'crashAfter'] as const)
] as const
export type CallFault = (typeof callFaults)[number]

/** What happens to a notification on its way. */
export const noticeFaults = [
  ...(['lost', 'answerLost', 'late', 'doubled', 'shuffled', 'forged', 'crashStored'] as const)
] as const
export type NoticeFault = (typeof noticeFaults)[number]

/** An instance as the wires see it. */
type End = { url: string; isUp(): boolean; crash(): Promise<void> }

export type Wire = {
  /** In Adyen's place, for each instance. */
  adyenUrls: string[]
  noticeUrl: string
  connect(simulatorUrl: string, ends: End[]): void
  arm(
    account: string,
    fault: { call?: CallFault | undefined; notice?: NoticeFault | undefined }
  ): void
  /** No fault strikes any more, and what is held goes on. */
  calm(): void
  /** Has Adyen say again all that it has said, and was accepted. */
  sayAgain(): Promise<void>
  /** Forged notifications that were accepted. */
  accepted: string[]
  /** How often a call about a payment, by its id, was answered 5xx. */
  serverErrors: Map<string, number>
  /** How often each fault has struck. */
  struck: Map<string, number>
}

/** Faults that look like an answer of Adyen's. */
const serverErrorsOf = { unavailable: true, html: true, errorAfter: true }

type Armed = { calls: CallFault[]; notices: NoticeFault[] }

const lateMs = [20, 60, 150, 400]
const slowMs = 250
/** Instances crash at a step of a payment so often in a group. */
const crashesMax = 2

export async function openWire(agent: Agent, cleaner: Cleaner): Promise<Wire> {
  let simulatorUrl = ''
  let ends: End[] = []
  let isCalm = false
  let crashes = 0
  let turn = 0
  const armed = new Map<string, Armed>()
  /** Accounts by what is known of them. */
  const owners = new Map<string, string>()
  const held = new Set<() => void>()
  const accepted: string[] = []
  const said: Array<{ headers: Record<string, string>; body: string }> = []
  const serverErrors = new Map<string, number>()
  const struck = new Map<string, number>()

  const armedOf = (account: string) => {
    const known = armed.get(account) ?? { calls: [], notices: [] }
    armed.set(account, known)
    return known
  }
  function take<Kind extends keyof Armed>(kind: Kind, account: string | undefined) {
    if (isCalm || account === undefined) return undefined
    const fault = armed.get(account)?.[kind].shift() as Armed[Kind][number] | undefined
    if (fault !== undefined) struck.set(fault, (struck.get(fault) ?? 0) + 1)
    return fault
  }
  /** Whose it is; what else is named in it is theirs too. */
  function ownerOf(...texts: string[]): string | undefined {
    const names = texts.flatMap((text) => [...text.matchAll(named)].map(([name]) => name))
    const account = names.find((name) => name.startsWith('account-'))?.slice('account-'.length)
    const owner = account ?? names.map((name) => owners.get(name)).find((one) => one !== undefined)
    if (owner !== undefined) for (const name of names) owners.set(name, owner)
    return owner
  }
  function crash(end: End): void {
    crashes += 1
    if (crashes <= crashesMax) void end.crash()
  }

  async function onCall(place: number, req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await textOf(req)
    const path = req.url ?? ''
    const end = ends[place] as End
    const fault = take('calls', ownerOf(body, path))
    if (fault !== undefined && fault in serverErrorsOf) {
      for (const [id] of body.matchAll(/\bpay_\w{16}/g)) {
        serverErrors.set(id, (serverErrors.get(id) ?? 0) + 1)
      }
    }
    if (fault === 'reset' || fault === 'crashBefore') {
      if (fault === 'crashBefore') crash(end)
      return cut(res.socket)
    }
    if (fault === 'unavailable') return answer(res, 503, 'text/plain', 'no healthy upstream')
    if (fault === 'html') return answer(res, 500, 'text/html', '<html>Internal Server Error</html>')
    if (fault === 'slow') await pause(slowMs)
    const done = await request(simulatorUrl + path, {
      dispatcher: agent,
      method: req.method as 'POST',
      headers: headersOf(req),
      ...(body !== '' && { body })
    })
    const own = (await done.body.text()).replaceAll(simulatorUrl, adyenUrls[place] as string)
    ownerOf(body, path, own)
    if (fault === 'hangAfter') return
    if (fault === 'resetAfter' || fault === 'crashAfter') {
      if (fault === 'crashAfter') crash(end)
      return cut(res.socket)
    }
    if (fault === 'errorAfter') return answer(res, 502, 'text/plain', 'bad gateway')
    const text = fault === 'truncated' ? own.slice(0, own.length / 2) : fault === 'empty' ? '' : own
    for (const name of ['transient-error', 'pspreference']) {
      const value = done.headers[name]
      if (value !== undefined) res.setHeader(name, value)
    }
    return answer(res, done.statusCode, String(done.headers['content-type']), text)
  }

  async function send(to: End, headers: Record<string, string>, text: string): Promise<number> {
    const { statusCode, body } = await request(`${to.url}/webhooks/adyen`, {
      dispatcher: agent,
      method: 'POST',
      headers,
      body: text
    })
    await body.dump()
    return statusCode
  }

  async function onNotice(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = await textOf(req)
    const fault = take('notices', ownerOf(body))
    turn += 1
    const up = ends.filter((one) => one.isUp())
    const end = up[turn % up.length]
    if (fault === 'lost' || end === undefined) return cut(res.socket)
    if (fault === 'late') await pause(lateMs[turn % lateMs.length] as number)
    if (fault === 'shuffled') await untilReleased()
    else for (const release of held) release()
    const headers = headersOf(req)
    const deliver = (to: End, text: string) => send(to, headers, text)
    if (fault === 'forged') {
      for (const text of forgeriesOf(body)) {
        const status = await deliver(end, text).catch(() => 0)
        if (status >= 200 && status < 300) accepted.push(text)
      }
    }
    const all = fault === 'doubled' ? ends : [end]
    const statuses = await Promise.all(all.map((one) => deliver(one, body).catch(() => 0)))
    if (fault === 'crashStored') crash(end)
    const status = statuses.find((one) => one >= 200 && one < 300) ?? statuses[0] ?? 0
    if (status >= 200 && status < 300) said.push({ headers, body })
    if (status === 0 || fault === 'answerLost' || fault === 'crashStored') return cut(res.socket)
    return answer(res, status, 'text/plain', '')
  }

  /** Until another notification has passed, or for a while. */
  function untilReleased(): Promise<void> {
    return new Promise((resolve) => {
      const release = () => {
        clearTimeout(timer)
        held.delete(release)
        setTimeout(resolve, 10)
      }
      const timer = setTimeout(release, 500)
      held.add(release)
    })
  }

  const adyenUrls = [
    await serve(cleaner, (req, res) => onCall(0, req, res)),
    await serve(cleaner, (req, res) => onCall(1, req, res))
  ]
  return {
    adyenUrls,
    noticeUrl: await serve(cleaner, onNotice),
    ...{ accepted, serverErrors, struck },
    connect(url, all) {
      simulatorUrl = url
      ends = all
    },
    arm(account, { call, notice }) {
      if (call !== undefined) armedOf(account).calls.push(call)
      if (notice !== undefined) armedOf(account).notices.push(notice)
    },
    async sayAgain() {
      for (const [place, { headers, body }] of said.entries()) {
        await send(ends[place % ends.length] as End, headers, body).catch(() => {})
      }
    },
    calm() {
      isCalm = true
      for (const release of held) release()
    }
  }
}

/** Accounts, payments, pspReferences, sessions and links. */
const named =
  /account-\d{8}|\bpay_\w{16}|\b[A-Z0-9]{16}\b|\bCS[A-Z0-9]{10,40}\b|\bPL[A-Z0-9]{10,40}\b/g

/** Of a genuine notification what somebody without the key can make: other money, other outcome. */
export function forgeriesOf(body: string): string[] {
  const forge = (change: (item: Record<string, unknown>) => void) => {
    const parsed = JSON.parse(body)
    for (const { NotificationRequestItem: item } of parsed.notificationItems ?? []) change(item)
    return JSON.stringify(parsed)
  }
  return [
    forge((item) => {
      const { value, currency } = item.amount as { value: number; currency: string }
      item.amount = { value: value + 1_000, currency }
    }),
    forge((item) => {
      item.success = item.success === 'true' ? 'false' : 'true'
    }),
    forge((item) => {
      const [first, ...rest] = String(item.pspReference)
      item.pspReference = `${first === 'F' ? 'G' : 'F'}${rest.join('')}`
    })
  ]
}

async function textOf(req: IncomingMessage): Promise<string> {
  let text = ''
  req.setEncoding('utf8')
  for await (const part of req) text += part
  return text
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  const names = ['content-type', 'x-api-key', 'idempotency-key', 'authorization']
  const kept = names.flatMap((name) => {
    const value = headers[name]
    return typeof value === 'string' ? [[name, value]] : []
  })
  return Object.fromEntries(kept)
}

function answer(res: ServerResponse, status: number, type: string, text: string): void {
  if (res.destroyed) return
  res.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
  res.end(text)
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
