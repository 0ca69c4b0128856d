/** What happens in a history, step by step; each looks at what it is answered. */
import {
  type Answer,
  type Asked,
  ask,
  call,
  control,
  idOf,
  insist,
  type Known,
  newAsked,
  type World
} from './world.ts'

/** `on`: which payment, `pick`: what is left to decide, `at`: which instance. */
export type Choice = { on: number; pick: number; at: number }

type Step = {
  /** How often it comes, against the others. */
  weight: number
  can?: (world: World) => boolean
  run: (world: World, choice: Choice) => Promise<void>
}

const gbp = (value: number) => ({ currency: 'GBP', value })
const returnUrl = 'https://selfcare.example/paid'
const paymentsMax = 3

const pickOf = <T>(all: readonly T[], pick: number): T => all[pick % all.length] as T
const answered = ({ payments }: World) => payments.filter((one) => idOf(one) !== undefined)
const paid = (world: World) => answered(world).filter(({ isPaid }) => isPaid)
const hasAnswered = (world: World) => answered(world).length > 0
const hasPaid = (world: World) => paid(world).length > 0
const hasRoom = ({ payments }: World) => payments.length < paymentsMax

function newPayment(world: World, pick: number, method: Known['method'], more: object = {}): Known {
  const value = 1_000 + (pick % 50) * 100
  const isManual = method !== 'registeredCard' && pick % 3 === 0
  const asked = newAsked(world, '/v1/payments', {
    accountId: world.account,
    amount: gbp(value),
    channel: pickOf(['selfcare', 'ivr'], pick),
    method,
    capture: isManual ? 'manual' : 'automatic',
    reference: `basket-${pick}`,
    allowDuplicate: true,
    ...(method === 'hostedPage' && { returnUrl }),
    ...(method !== 'registeredCard' && { saveCard: pickOf(['never', 'always'], pick) }),
    ...more
  })
  const own = { isDisturbed: false, isPaid: false, redirect: null, refunds: [] }
  const known: Known = { asked, value, method, isManual, ...own }
  world.payments.push(known)
  return known
}

const methodOf = (pick: number) =>
  pickOf(['hostedPage', 'hostedPage', 'paymentLink'] as const, pick)

async function create(world: World, { pick, at }: Choice): Promise<void> {
  const { asked, value } = newPayment(world, pick, methodOf(pick))
  const answer = (await ask(world, asked, at)) ?? (await askAgain(world, asked, { pick, at }))
  if (answer !== undefined) holdsCreated(world, answer, value)
}

const repeatedMax = 8
const repeatedEveryMs = 150
/** Most callers repeat what had no answer, for a while; the others leave it to the service. */
async function askAgain(world: World, asked: Asked, { pick, at }: Omit<Choice, 'on'>) {
  for (let tries = 1; pick % 4 !== 0 && tries <= repeatedMax; tries++) {
    await new Promise((resolve) => setTimeout(resolve, tries * repeatedEveryMs))
    const answer = await ask(world, asked, at + tries)
    if (answer !== undefined) return answer
  }
  return undefined
}

function holdsCreated(world: World, { status, body, text }: Answer, value: number): void {
  insist(status === 201, `a create was answered ${status}: ${text}`)
  const isOwn = body.accountId === world.account && body.amount.value === value
  insist(isOwn, `a create was answered by another payment: ${text}`)
}

/** The same request at both instances at once. */
async function createTwice(world: World, { pick, at }: Choice): Promise<void> {
  const { asked } = newPayment(world, pick, methodOf(pick))
  const all = await Promise.all([0, 1, 0].map((more) => ask(world, asked, at + more)))
  const ids = new Set(all.flatMap((one) => (one?.status === 201 ? [one.body.id] : [])))
  insist(ids.size <= 1, `one key has payments ${[...ids].join()}`)
  if (ids.size === 0) await askAgain(world, asked, { pick, at })
}

async function repeat(world: World, { on, at }: Choice): Promise<void> {
  await ask(world, pickOf(world.asked, on), at)
}

async function reuseKey(world: World, { on, at }: Choice): Promise<void> {
  const { asked, value } = pickOf(answered(world), on)
  const body = { ...asked.body, amount: gbp(value + 1) }
  const answer = await call(world, at, 'POST', asked.path, { body, idempotencyKey: asked.key })
  if (answer === undefined || answer.status === 503) return
  insist(answer.body?.code === 'idempotency_key_reused', `a key for two: ${answer.text}`)
}

const holders = ['A. Customer', 'A. Customer', 'A. Customer', 'NOT_ENOUGH_BALANCE', 'A. Customer']
const failingHolders = ['capture failed', 'refund failed']

/** The customer pays at Adyen, whatever the page's client has heard. */
async function pay(world: World, { on, pick }: Choice): Promise<void> {
  const known = pickOf(payable(world), on)
  const isLink = known.method === 'paymentLink'
  const kind = isLink ? 'links' : 'sessions'
  const page = pageOf(known)
  const holderName = pick % 9 === 0 ? pickOf(failingHolders, pick) : pickOf(holders, pick)
  const done = await control(world, 'POST', `${kind}/${page}/pay`, { holderName })
  known.redirect ??= done?.redirect ?? null
  if (done?.status !== 'completed') return
  known.isPaid = true
  if (failingHolders.includes(holderName)) known.isDisturbed = true
}

/** The page's id at Adyen is the end of its address. */
function pageOf({ asked }: Known): string {
  const url: string = asked.answer?.body.checkout?.url ?? ''
  return url.slice(url.lastIndexOf('/') + 1)
}

const payable = (world: World) => answered(world).filter((one) => !one.isPaid && pageOf(one) !== '')

async function comeBack(world: World, { on, at }: Choice): Promise<void> {
  const known = pickOf(
    world.payments.filter(({ redirect }) => redirect !== null),
    on
  )
  const { pathname, search } = new URL(known.redirect as string)
  const answer = await call(world, at, 'GET', pathname + search)
  if (answer === undefined || answer.status === 503) return
  insist(answer.status === 303, `a customer came back to ${answer.status}: ${answer.text}`)
}

/** Asks about a payment; answers what came of it at once. */
async function askAbout(
  world: World,
  known: Known,
  what: string,
  body: Record<string, unknown>,
  at: number
) {
  const asked = newAsked(world, `/v1/payments/${idOf(known)}/${what}`, body)
  return { asked, answer: await ask(world, asked, at) }
}

async function capture(world: World, { on, pick, at }: Choice): Promise<void> {
  const known = pickOf(
    answered(world).filter(({ isManual }) => isManual),
    on
  )
  const { value } = known
  const isTooMuch = pick % 5 === 0
  const part = pick % 3 === 0 ? Math.ceil(value / 2) : value
  const amount = gbp(isTooMuch ? value + 1 : part)
  const { answer } = await askAbout(world, known, 'captures', { amount }, at)
  if (answer === undefined) return
  const isAccepted = answer.status === 202
  insist(isAccepted || [409, 422].includes(answer.status), `a capture: ${answer.text}`)
  insist(!(isAccepted && isTooMuch), `more was captured than authorised: ${answer.text}`)
}

async function cancel(world: World, { on, at }: Choice): Promise<void> {
  const known = pickOf(answered(world), on)
  const { answer } = await askAbout(world, known, 'cancellation', { reason: 'hung up' }, at)
  if (answer === undefined) return
  insist([202, 409].includes(answer.status), `a cancellation: ${answer.text}`)
}

async function refund(world: World, { on, pick, at }: Choice): Promise<void> {
  const known = pickOf(paid(world), on)
  const { value } = known
  const isTooMuch = pick % 6 === 0
  const amount = gbp(isTooMuch ? value + 1 : Math.ceil((value * (1 + (pick % 10))) / 10))
  const { asked, answer } = await askAbout(world, known, 'refunds', { amount }, at)
  known.refunds.push(asked)
  if (answer !== undefined) holdsRefunds(known, answer)
}

/** Two at once, which are too much together. */
async function refundTwice(world: World, { on, at }: Choice): Promise<void> {
  const known = pickOf(paid(world), on)
  const body = { amount: gbp(Math.ceil(known.value * 0.6)) }
  const both = await Promise.all(
    [0, 1].map((more) => askAbout(world, known, 'refunds', body, at + more))
  )
  known.refunds.push(...both.map(({ asked }) => asked))
  for (const { answer } of both) if (answer !== undefined) holdsRefunds(known, answer)
}

function holdsRefunds({ refunds, value, isDisturbed }: Known, answer: Answer): void {
  insist([202, 409, 422].includes(answer.status), `a refund: ${answer.text}`)
  const accepted = refunds.filter((one) => one.answer?.status === 202)
  const sum = accepted.reduce((total, { body }) => total + (body.amount as Money).value, 0)
  insist(isDisturbed || sum <= value, `refunds of ${sum} of ${value} were accepted`)
}
type Money = { value: number }

/** What happens at Adyen without us. */
async function atAdyen(world: World, known: Known, what: string, body: object): Promise<void> {
  const id = idOf(known)
  type AtAdyen = { id: string; reference: string; captured: number; refunded: number }
  const all: AtAdyen[] = await control(world, 'GET', 'payments')
  const own = all.find(({ reference }) => reference === id)
  // Nobody questions, or gives back, what was not taken.
  if (own === undefined || own.captured <= own.refunded) return
  known.isDisturbed = true
  await control(world, 'POST', `payments/${own.id}/${what}`, body)
}

const disputeEvents = ['CHARGEBACK', 'CHARGEBACK', 'NOTIFICATION_OF_CHARGEBACK']
async function dispute(world: World, { on, pick }: Choice): Promise<void> {
  await atAdyen(world, pickOf(paid(world), on), 'dispute', {
    eventCode: pickOf(disputeEvents, pick)
  })
}

async function refundByHand(world: World, { on }: Choice): Promise<void> {
  const known = pickOf(paid(world), on)
  await atAdyen(world, known, 'modify', { kind: 'refund', amount: gbp(101) })
}

async function failCapture(world: World, { on }: Choice): Promise<void> {
  await atAdyen(world, pickOf(paid(world), on), 'capture-failed', {})
}

async function endPage(world: World, { on }: Choice): Promise<void> {
  const known = pickOf(answered(world), on)
  if (known.method !== 'hostedPage' || known.isPaid) return
  await control(world, 'POST', `sessions/${pageOf(known)}/expire`, {})
}

async function chargeCard(world: World, { pick, at }: Choice): Promise<void> {
  const cards = await call(world, at, 'GET', `/v1/accounts/${world.account}/cards`)
  const registeredCardId = cards?.body?.data?.[0]?.id
  if (registeredCardId === undefined) return
  const known = newPayment(world, pick, 'registeredCard', { registeredCardId })
  known.isPaid = true
  const answer = await ask(world, known.asked, at)
  if (answer !== undefined) holdsCreated(world, answer, known.value)
}

async function charge(world: World, { pick, at }: Choice): Promise<void> {
  const amount = gbp(100 + (pick % 20) * 100)
  world.count += 1
  const body = { amount, reference: `INV-${world.count}`, dueAt: '2026-01-01T00:00:00Z' }
  await untilDone(world, at, `/v1/accounts/${world.account}/charges`, body)
  world.charged += amount.value
}

async function record(world: World, { pick, at }: Choice): Promise<void> {
  const amount = gbp(100 + (pick % 20) * 100)
  world.count += 1
  const reference = `${world.account}-${world.count}`
  await untilDone(world, at, '/v1/recorded-payments', {
    ...{ accountId: world.account, amount, channel: 'ivr', outcome: 'captured' },
    ...{ processor: { name: 'ivr-platform', reference }, takenAt: '2026-01-01T00:00:00Z' }
  })
  world.recorded += amount.value
}

const doneWithinMs = 90_000
/** What is known by its own reference is sent until it is there. */
async function untilDone(world: World, at: number, path: string, body: object) {
  const giveUpAt = Date.now() + doneWithinMs
  for (let tries = 0; Date.now() < giveUpAt; tries++) {
    const key = world.group.keys.house
    const answer = await call(world, at + tries, 'POST', path, { body, key })
    if (answer !== undefined && answer.status < 300) return
    insist(answer === undefined || answer.status === 503, `${path}: ${answer?.text}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  insist(false, `${path} was not done`)
}

const cardNumbers = ['4111 1111 1111 1111', '5555555555554444', '3700-0000-0000-002']
async function typeCardNumber(world: World, { pick, at }: Choice): Promise<void> {
  const [number, account] = [pickOf(cardNumbers, pick), world.account]
  const body = { accountId: account, amount: gbp(100), channel: 'ivr', method: 'paymentLink' }
  const where = pickOf(['description', 'reference'], pick)
  const idempotencyKey = `${account}-card-${pick}`
  const answer = await call(world, at, 'POST', '/v1/payments', {
    ...{ body: { ...body, [where]: `card ${number}` }, idempotencyKey }
  })
  if (answer === undefined || answer.status === 503) return
  insist(answer.body?.code === 'card_number_refused', `a card number: ${answer.text}`)
  insist(!answer.text.includes(number), 'a card number is echoed')
}

/** Reads a payment; what was acknowledged of it is as it was. */
async function read(world: World, { on, at }: Choice): Promise<void> {
  const { asked, ...known } = pickOf(answered(world), on)
  const { body: before } = asked.answer as Answer
  const answer = await call(world, at, 'GET', `/v1/payments/${before.id}`)
  if (answer === undefined || answer.status === 503) return
  insist(answer.status === 200, `an acknowledged payment: ${answer.status} ${answer.text}`)
  for (const name of ['id', 'accountId', 'amount', 'channel', 'method', 'capture', 'reference']) {
    const same = JSON.stringify(answer.body[name]) === JSON.stringify(before[name])
    insist(same, `${name} is ${JSON.stringify(answer.body[name])} in ${answer.text}`)
  }
  insist(answer.body.amountCaptured <= known.value, `more was captured: ${answer.text}`)
}

/** A third party asks for what another client has made. */
async function pry(world: World, { on, pick, at }: Choice): Promise<void> {
  const id = idOf(pickOf(answered(world), on))
  const key = world.group.keys.stranger
  const parts = ['', '/events', '/refunds', '/captures', '/disputes', '/receipt']
  const answer = await call(world, at, 'GET', `/v1/payments/${id}${pickOf(parts, pick)}`, { key })
  const isHidden = answer === undefined || [404, 503].includes(answer.status)
  insist(isHidden, `a stranger reads ${id}: ${answer?.text}`)
  const list = await call(world, at, 'GET', `/v1/payments?accountId=${world.account}`, { key })
  const isEmpty = list?.status !== 200 || list.body.data.length === 0
  insist(isEmpty, `a stranger lists ${list?.text}`)
}

/** Changes a payment as somebody saw it who saw another. */
async function changeStale(world: World, { on, at }: Choice): Promise<void> {
  const id = idOf(pickOf(answered(world), on))
  world.count += 1
  const answer = await call(world, at, 'POST', `/v1/payments/${id}/cancellation`, {
    body: {},
    idempotencyKey: `${world.account}-stale-${world.count}`,
    headers: { 'if-match': '"1-stale"' }
  })
  const isRefused = answer === undefined || [409, 412, 503].includes(answer.status)
  insist(isRefused, `a stale change: ${answer?.text}`)
}

async function rest(_: World, { pick }: Choice): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 10 + (pick % 10) * 15))
}

export const steps = {
  create: { weight: 10, can: hasRoom, run: create },
  createTwice: { weight: 4, can: hasRoom, run: createTwice },
  repeat: { weight: 3, can: ({ asked }) => asked.length > 0, run: repeat },
  reuseKey: { weight: 1, can: hasAnswered, run: reuseKey },
  pay: { weight: 30, can: (world) => payable(world).length > 0, run: pay },
  comeBack: {
    weight: 4,
    can: ({ payments }) => payments.some(({ redirect }) => redirect !== null),
    run: comeBack
  },
  capture: {
    weight: 8,
    can: (world) => answered(world).some(({ isManual }) => isManual),
    run: capture
  },
  cancel: { weight: 4, can: hasAnswered, run: cancel },
  refund: { weight: 10, can: hasPaid, run: refund },
  refundTwice: { weight: 4, can: hasPaid, run: refundTwice },
  dispute: { weight: 3, can: hasPaid, run: dispute },
  refundByHand: { weight: 2, can: hasPaid, run: refundByHand },
  failCapture: { weight: 2, can: hasPaid, run: failCapture },
  endPage: { weight: 2, can: hasAnswered, run: endPage },
  chargeCard: { weight: 4, can: hasPaid, run: chargeCard },
  charge: { weight: 1, run: charge },
  record: { weight: 1, run: record },
  typeCardNumber: { weight: 1, run: typeCardNumber },
  read: { weight: 3, can: hasAnswered, run: read },
  pry: { weight: 2, can: hasAnswered, run: pry },
  changeStale: { weight: 1, can: hasAnswered, run: changeStale },
  rest: { weight: 1, run: rest }
} as const satisfies Record<string, Step>
export type StepName = keyof typeof steps
