/**
 * Holds a restored service against what callers were told (TOLD) before it was lost:
 *   prove.ts told TARGET      all that was acknowledged before the target time is there: 1 where it is not
 *   prove.ts recover TARGET   what came after it, as far as Adyen and the callers know of it
 */
import { setTimeout } from 'node:timers/promises'
import { createClient, type Payment, PaymentsError } from '../../clients/typescript/src/index.ts'
import { type Entry, owed, readJournal } from './journal.ts'

const { API_URL = '', API_KEY = '', SIMULATOR_URL = '', TOLD = '' } = process.env
const api = createClient({ baseUrl: API_URL, key: API_KEY })
const [command, target = ''] = process.argv.slice(2)
const targetMs = new Date(target).getTime()
const journal = readJournal(TOLD)
const before = journal.filter(({ at }) => at < targetMs)
const faults: string[] = []
const say = (text: string) => process.stdout.write(`  ${text}\n`)

/** What was told of each payment at last, by its id. */
function paymentsOf(entries: readonly Entry[]): Map<string, Payment> {
  return new Map(entries.flatMap(({ payment }) => (payment ? [[payment.id, payment]] : [])))
}

/** Undefined where there is none. */
async function find<T>(asked: Promise<T>): Promise<T | undefined> {
  return await asked.catch((error: unknown) => {
    if (error instanceof PaymentsError && error.status === 404) return undefined
    throw error
  })
}

const findPayment = (id: string) => find(api.get('/v1/payments/{id}', { path: { id } }))

/** What never changes, and what only grows. */
function isKept(told: Payment, now: Payment): boolean {
  const fixed = ({ accountId, amount, channel, method, reference, createdAt }: Payment) =>
    JSON.stringify([accountId, amount, channel, method, reference, createdAt])
  return (
    fixed(told) === fixed(now) &&
    (told.status === 'pending' || now.status === told.status) &&
    now.amountCaptured >= told.amountCaptured
  )
}

async function checkTold(): Promise<void> {
  const payments = paymentsOf(before)
  for (const [id, told] of payments) {
    const now = await findPayment(id)
    if (now === undefined) faults.push(`lost: ${id}, ${told.status}`)
    else if (!isKept(told, now)) faults.push(`changed: ${id}, ${told.status} and now ${now.status}`)
  }
  const refunds = before.flatMap(({ refund }) => refund ?? [])
  for (const { id, amount } of refunds) {
    const now = await find(api.get('/v1/refunds/{id}', { path: { id } }))
    if (now?.amount.value !== amount.value) faults.push(`lost: refund ${id}`)
  }
  const balances = await checkBalances()
  const captured = [...payments.values()].filter(({ status }) => status === 'captured').length
  say(`acknowledged before the target: ${payments.size} payments, ${captured} of them captured,`)
  say(`  ${refunds.length} refunds, ${balances} balances; lost or changed: ${faults.length}`)
}

/** Of accounts that only ever pay, one after the other: it lies between what was told around it. */
async function checkBalances(): Promise<number> {
  const told = journal.flatMap(({ at, account }) => (account ? [{ at, ...account }] : []))
  const ids = new Set(told.map(({ id }) => id))
  for (const id of ids) {
    const own = told.filter((one) => one.id === id)
    const last = own.findLast(({ at }) => at < targetMs)
    const next = own.find(({ at }) => at >= targetMs) ?? last
    const { balance } = await api.get('/v1/accounts/{accountId}', { path: { accountId: id } })
    const { value } = balance.outstanding
    const most = last?.balance.outstanding.value ?? Number.POSITIVE_INFINITY
    const least = next?.balance.outstanding.value ?? 0
    if (value > most || value < least) faults.push(`balance of ${id}: ${value}, told ${most}`)
  }
  return told.filter(({ at }) => at < targetMs).length
}

type AtAdyen = {
  id: string
  reference: string
  amount: { currency: 'GBP'; value: number }
  createdAt: string
  capturedAt: string | null
}

async function simulate<T>(method: string, path: string): Promise<T> {
  const response = await fetch(`${SIMULATOR_URL}/_simulator/${path}`, { method })
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return (await response.json()) as T
}

/** As they are here now, in the order of Adyen's; undefined for those that are not known here. */
const ours = (paid: readonly AtAdyen[]) =>
  Promise.all(paid.map(({ reference }) => findPayment(reference)))

/** Until nothing that came waits to be looked at, for a minute. */
async function untilApplied(): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    const { data } = await api.get('/v1/notifications', { query: { status: 'received' } })
    if (data.length === 0) return
    await setTimeout(200)
  }
  faults.push('notifications are still not applied')
}

async function recover(): Promise<void> {
  const paid = (await simulate<AtAdyen[]>('GET', 'payments')).filter((one) => one.capturedAt)
  const now = await ours(paid)
  const unknown = paid.filter((_, place) => now[place] === undefined)
  const behind = paid.filter((_, place) => now[place]?.status === 'pending')
  await simulate('POST', 'redeliver')
  await untilApplied()
  const then = await ours(behind)
  const mended = then.filter((payment) => payment?.status === 'captured').length
  say(`paid at Adyen: ${paid.length}; here still pending: ${behind.length}, and captured when`)
  say(`  Adyen's notifications had come once more: ${mended}`)
  if (mended < behind.length) faults.push(`${behind.length - mended} of them are still pending`)
  await checkFeed(behind)
  await checkPostings()
  await settle(unknown)
  await record(unknown)
  await checkAll(paid)
}

/** A reader that goes on where it was is told of what is captured now, within 10 s. */
async function checkFeed(mended: readonly AtAdyen[]): Promise<void> {
  const missed = new Set(mended.map(({ reference }) => reference))
  let after = journal.findLast((entry) => entry.after)?.after
  for (let tries = 0; tries < 50 && missed.size > 0; tries += 1) {
    for await (const { data, nextCursor } of api.feed({ waitS: 0, ...(after && { after }) })) {
      for (const { type, paymentId } of data) {
        if (type === 'payment.captured') missed.delete(paymentId ?? '')
      }
      after = nextCursor
    }
    await setTimeout(200)
  }
  say(
    `  of these a reader of the feed that went on where it was saw: ${mended.length - missed.size}`
  )
  if (missed.size > 0) faults.push(`a reader of the feed missed ${missed.size} events`)
}

/** The same money under another id: billing must know it by its reference. */
async function checkPostings(): Promise<void> {
  const posted = journal.flatMap(({ posting }) => posting ?? [])
  const keyOf = ({ kind, paymentReference, direction }: (typeof posted)[number]) =>
    [kind, paymentReference, direction].join()
  const ids = new Map(posted.map((posting) => [keyOf(posting), posting.id]))
  let again = 0
  for await (const posting of api.list('/v1/postings', { query: { status: 'open' } })) {
    const id = ids.get(keyOf(posting))
    if (id !== undefined && id !== posting.id) again += 1
  }
  say(`postings that billing had posted and is offered again, under another id: ${again}`)
}

/** Adyen's report shows what nobody here knows of. */
async function settle(unknown: readonly AtAdyen[]): Promise<void> {
  await simulate('POST', 'reports')
  for (let tries = 0; tries < 300; tries += 1) {
    const { data } = await api.get('/v1/settlement-reports', {})
    if (data.length > 0 && data.every(({ status }) => status === 'done')) break
    await setTimeout(200)
  }
  const shown = new Set<unknown>()
  const query = { status: 'open', kind: 'settlement_unmatched' } as const
  for await (const { details } of api.list('/v1/discrepancies', { query })) {
    const { theirs } = details as { theirs: { pspReference: string } }
    shown.add(theirs.pspReference)
  }
  const seen = unknown.filter(({ id }) => shown.has(id)).length
  say(
    `paid at Adyen and not known here: ${unknown.length}; shown to a person by the report: ${seen}`
  )
  if (seen < unknown.length) faults.push(`${unknown.length - seen} payments are shown to nobody`)
}

/** By whoever called: the account is known to them alone. */
async function record(unknown: readonly AtAdyen[]): Promise<void> {
  const told = paymentsOf(journal)
  let count = 0
  for (const { id, reference, amount, capturedAt } of unknown) {
    const accountId = told.get(reference)?.accountId
    if (accountId === undefined) continue
    await api.post('/v1/recorded-payments', {
      body: {
        ...{ accountId, amount, channel: 'selfcare', outcome: 'captured', reference },
        ...{ processor: { name: 'adyen', reference: id }, takenAt: capturedAt ?? '' }
      }
    })
    count += 1
  }
  say(`  recorded by those who had called for them: ${count}`)
}

/** In the end each account that only paid owes what was not paid at Adyen. */
async function checkAll(paid: readonly AtAdyen[]): Promise<void> {
  const told = paymentsOf(journal)
  const steady = new Set(journal.flatMap(({ account }) => account?.id ?? []))
  for (const accountId of steady) {
    const { balance } = await api.get('/v1/accounts/{accountId}', { path: { accountId } })
    const own = paid.filter(({ reference }) => told.get(reference)?.accountId === accountId)
    const left = owed - own.reduce((sum, { amount }) => sum + amount.value, 0)
    const { value } = balance.outstanding
    if (value !== left) faults.push(`account ${accountId} owes ${value}, and ${left} by Adyen`)
  }
  say(`accounts looked at for what they owe in the end: ${steady.size}`)
}

await (command === 'told' ? checkTold() : recover())
for (const fault of faults) say(fault)
process.exitCode = faults.length === 0 ? 0 : 1
