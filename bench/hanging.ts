/**
 * `npm run bench -- hanging`: Adyen's `/sessions` hangs while 400 callers want pages, each of which
 * waits as it is told to. Captures go to an endpoint of Adyen's that is well: how long from the
 * request until Adyen has each, before and meanwhile. At last, how soon the first caller has a page
 * when Adyen is back.
 */
import { createHmac } from 'node:crypto'
import http from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { untilCalm } from './machine.ts'
import { merchantAccount, returnOrigin, seededAccount } from './operations.ts'
import type { Cleaner } from './processes.ts'
import { openSite, type Site } from './site.ts'
import { startOurs, type Target } from './targets.ts'

const callers = 400
/** Payments are made so many at a time. */
const atOnce = 10
/** Captures of each part, and how many of them a second. */
const captures = 250
const capturesPerSecond = 25
const goalRatio = 1.5
/** In which Adyen must answer again for a caller to have a page, ms. */
const goalBackMs = 3_000

type Answer = { status: number; retryAfterS: number; body: { id: string } }
type Call = (path: string, key: string, body: object) => Promise<Answer>

/** Prints the tables; false where a goal was missed. */
export async function measureHanging(
  cleaner: Cleaner,
  tell: (line: string) => void,
  print: (text: string) => void
): Promise<boolean> {
  const site = await openSite(cleaner)
  const target = await startOurs(site)
  const call = callerOf(target)
  tell(`${2 * captures} payments are authorised`)
  const payments = await authorise(site, target, call, 2 * captures)
  const arrivals = listen(site)
  tell('captures, with nothing else')
  await untilCalm()
  const quiet = await capture(call, payments.slice(0, captures), arrivals)
  tell(`${callers} callers, and /sessions hangs`)
  site.stub.process.send({ hangs: true })
  const crowd = gather(call)
  await setTimeout(1_000)
  const hanging = await capture(call, payments.slice(captures), arrivals)
  site.stub.process.send({ hangs: false })
  const backMs = await crowd.untilFirstPage()
  const told = await crowd.leave()
  const ratio = at(hanging, 0.99) / at(quiet, 0.99)
  print(toTables(quiet, hanging, told, backMs))
  return ratio <= goalRatio && backMs <= goalBackMs
}

function toTables(quiet: number[], hanging: number[], told: number[], backMs: number): string {
  const row = (name: string, times: number[]) =>
    `| ${name} | ${at(times, 0.5).toFixed(1)} | ${at(times, 0.99).toFixed(1)} |`
  return [
    '| from the request of a capture until Adyen has it | p50 ms | p99 ms |',
    '|---|---|---|',
    row('alone', quiet),
    row(`while ${callers} callers wait for /sessions`, hanging),
    `| ratio (goal of p99: ${goalRatio}) | ${(at(hanging, 0.5) / at(quiet, 0.5)).toFixed(2)} | ` +
      `${(at(hanging, 0.99) / at(quiet, 0.99)).toFixed(2)} |`,
    '',
    `| a caller is told that there is no page after (${told.length} answers) | p50 ms | p99 ms |`,
    '|---|---|---|',
    row('', told),
    '',
    `The first page came ${backMs.toFixed(0)} ms after Adyen was back (goal ${goalBackMs}).`
  ].join('\n')
}

const at = (times: number[], share: number) =>
  times.toSorted((one, other) => one - other)[Math.floor((times.length - 1) * share)] ?? Number.NaN

function callerOf({ port, apiKey }: Target): Call {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 * callers })
  return (path, key, body) =>
    new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        'idempotency-key': key
      }
      const options = { agent, host: '127.0.0.1', port, path, method: 'POST', headers }
      const request = http.request(options, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part) => {
          text += part
        })
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response
          const answer = text.startsWith('{') ? JSON.parse(text) : {}
          resolve({ status, retryAfterS: Number(headers['retry-after'] ?? 0), body: answer })
        })
      })
      request.on('error', reject)
      request.end(JSON.stringify(body))
    })
}

const pageOf = (n: number) => ({
  accountId: String(seededAccount(n)),
  amount: { currency: 'GBP', value: 1_000 + n },
  channel: 'selfcare',
  returnUrl: `${returnOrigin}/paid`
})

/** Payments whose money is reserved, as Adyen has said. */
async function authorise(site: Site, { db, port }: Target, call: Call, count: number) {
  const payments: string[] = []
  const makeOne = async (n: number) => {
    const body = { ...pageOf(n), capture: 'manual' }
    const made = await call('/v1/payments', `hanging-${n}`, body)
    if (made.status !== 201) throw new Error(`a create answered ${made.status}`)
    const url = `http://127.0.0.1:${port}/webhooks/adyen`
    const headers = { 'content-type': 'application/json' }
    const sent = { method: 'POST', headers, body: toNotification(site, made.body.id, n) }
    const told = await fetch(url, sent)
    if (told.status !== 202) throw new Error(`a notification was answered ${told.status}`)
    payments.push(made.body.id)
  }
  for (let n = 0; n < count; n += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, (_, more) => makeOne(n + more)))
  }
  for (;;) {
    const { rows } = await db.query(`select from payment where status = 'authorised'`)
    if (rows.length >= count) return payments
    await setTimeout(100)
  }
}

function toNotification({ hmacKey }: Site, merchantReference: string, n: number): string {
  const amount = pageOf(n).amount
  const pspReference = `HANG${String(n).padStart(12, '0')}`
  const signed =
    `${pspReference}::${merchantAccount}:${merchantReference}:` +
    `${amount.value}:GBP:AUTHORISATION:true`
  const key = Buffer.from(hmacKey, 'hex')
  const hmacSignature = createHmac('sha256', key).update(signed).digest('base64')
  const item = {
    ...{ pspReference, merchantAccountCode: merchantAccount, merchantReference, amount },
    ...{ eventCode: 'AUTHORISATION', success: 'true', eventDate: new Date().toISOString() },
    additionalData: { hmacSignature }
  }
  return JSON.stringify({
    live: 'false',
    notificationItems: [{ NotificationRequestItem: item }]
  })
}

type Arrivals = Map<string, number>

/** When Adyen has had each capture, ms of the clock, by the id of the capture. */
function listen({ stub }: Site): Arrivals {
  const arrivals: Arrivals = new Map()
  stub.process.on('message', (message: { captured?: string; at: number }) => {
    if (message.captured !== undefined) arrivals.set(message.captured, message.at)
  })
  return arrivals
}

/** Asks for captures at an even pace; how long each took to Adyen, ms. */
async function capture(call: Call, payments: string[], arrivals: Arrivals): Promise<number[]> {
  const times = payments.map(async (id, n) => {
    await setTimeout((n * 1_000) / capturesPerSecond)
    const startedAt = Date.now()
    const { status, body } = await call(`/v1/payments/${id}/captures`, `capture-${id}`, {})
    if (status !== 202) throw new Error(`a capture was answered ${status}`)
    const giveUpAt = startedAt + 30_000
    while (!arrivals.has(body.id) && Date.now() < giveUpAt) await setTimeout(5)
    return (arrivals.get(body.id) ?? Number.POSITIVE_INFINITY) - startedAt
  })
  return await Promise.all(times)
}

/** Callers who want a page each, and try again as they are told. */
function gather(call: Call) {
  const told: number[] = []
  let isOver = false
  let onPage: () => void = () => {}
  const firstPage = new Promise<void>((resolve) => {
    onPage = resolve
  })
  const loops = Array.from({ length: callers }, async (_, n) => {
    while (!isOver) {
      const startedAt = performance.now()
      const number = 100_000 + n
      const answer = await call('/v1/payments', `crowd-${number}`, pageOf(number))
      if (answer.status === 201) return onPage()
      told.push(performance.now() - startedAt)
      await setTimeout(1_000 * Math.max(1, answer.retryAfterS))
    }
  })
  return {
    async untilFirstPage() {
      const startedAt = performance.now()
      await firstPage
      return performance.now() - startedAt
    },
    async leave() {
      isOver = true
      await Promise.all(loops)
      return told
    }
  }
}
