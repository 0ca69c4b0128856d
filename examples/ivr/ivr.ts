/**
 * An IVR's call on the terminal, beside the sandbox: `npm run example:ivr`. What is typed are the
 * caller's keys, a line each; those given as arguments are pressed at once (`npm run example:ivr --
 * 10000001 1`). The end of the input (Ctrl-D) is the caller who hangs up.
 */
import { createInterface } from 'node:readline'
import {
  type Account,
  type Amount,
  type CreatePayment,
  type Payment,
  PaymentsError,
  type RegisteredCard
} from '../../clients/typescript/src/index.ts'
import { connect } from '../connect.ts'
import { money as spoken } from '../html.ts'
import { mayBeBegun } from '../keys.ts'

/** For so long the caller is asked to hold the line, ms. */
const holdMs = Number(process.env.HOLD_MS ?? 60_000)
/** Names all that this call does: the same after a restart of the IVR, so nothing is done twice. */
const callId = process.env.CALL_ID ?? crypto.randomUUID()

const notKnown = 'We do not know yet. Please do not pay again: we will tell you by text message.'
const notNow = 'We cannot take your payment at the moment. Please call again later.'
/** Whether money may have been taken of which the caller was told nothing. */
let isUnknown = false

const client = await connect(process.env)
const hungUp = new AbortController()
const pressed = process.argv.slice(2)
const phone = createInterface({ input: process.stdin })
const lines = phone[Symbol.asyncIterator]()
phone.once('close', () => hungUp.abort(new Error('the caller has hung up')))

const say = (text: string) => console.log(`IVR   ${text}`)
const note = (text: string) => console.log(`      (${text})`)
const text = (message: string) => console.log(`SMS   ${message}`)

async function ask(question: string): Promise<string> {
  say(question)
  const key = pressed.shift() ?? (await lines.next()).value
  if (key === undefined) throw hungUp.signal.reason
  console.log(`KEYS  ${key}`)
  return key.trim()
}

const cardName = ({ brand, lastFour }: RegisteredCard) =>
  `your ${brand ?? 'card'} ending in ${[...(lastFour ?? '')].join(' ')}`

async function findAccount(): Promise<Account> {
  for (;;) {
    const accountId = await ask('Please enter your account number.')
    try {
      return await client.get('/v1/accounts/{accountId}', { path: { accountId } })
    } catch (error) {
      if (!(error instanceof PaymentsError) || error.code !== 'account_not_known') throw error
      say('We have no account of that number.')
    }
  }
}

async function chooseAmount({ balance: { outstanding, overdue } }: Account): Promise<Amount> {
  say(`You owe ${spoken(outstanding)}, of which ${spoken(overdue)} is overdue.`)
  if (overdue.value === 0 || overdue.value === outstanding.value) return outstanding
  const choice = await ask('Press 1 to pay all of it, or 2 to pay what is overdue.')
  return choice === '2' ? overdue : outstanding
}

/** A payment of this call; asked for again, it is the same one, whatever happened meanwhile. */
async function pay(
  tries: number,
  { id: accountId }: Account,
  amount: Amount,
  asked: Partial<CreatePayment>
): Promise<Payment> {
  try {
    return await client.post('/v1/payments', {
      body: { accountId, amount, channel: 'ivr', reference: callId, ...asked },
      idempotencyKey: `${callId}.${tries}`
    })
  } catch (error) {
    if (!(error instanceof PaymentsError)) throw error
    // Without a card nothing is taken before the caller has a page.
    isUnknown = asked.method === 'registeredCard' && mayBeBegun(error)
    if (error.code !== 'duplicate_suspected' || error.paymentId === undefined) throw error
    // The caller has called before: what was begun then goes on, and nothing is paid twice.
    isUnknown = true
    note(`${error.paymentId} was made a moment ago`)
    return await client.get('/v1/payments/{id}', { path: { id: error.paymentId } })
  }
}

/** The payment once it has an outcome, or the caller need not hold any more. */
async function follow(payment: Payment): Promise<Payment> {
  const { id, status, method, checkout } = payment
  isUnknown = true
  if (status !== 'pending') return payment
  const signal = hungUp.signal
  // The bank has not answered yet. It will, so nothing is asked for again.
  if (checkout === null) return await client.waitUntilFinished(id, { timeoutMs: holdMs, signal })
  if (method !== 'registeredCard') return await sendPage(payment, checkout.url)
  say('Your bank asks you to confirm this payment.')
  return await sendPage(payment, checkout.url).catch(async (error) => {
    // Who hangs up before confirming is not to do it later by accident, beside another payment.
    if (signal.aborted) await cancel(id)
    throw error
  })
}

/** Texts the page, and follows it while the caller holds; a link works on when they hang up. */
async function sendPage({ id, amount }: Payment, url: string): Promise<Payment> {
  text(`Pay ${spoken(amount)} here: ${url}`)
  say('We have sent you a text message. Please hold the line until you have paid.')
  const giveUpAt = Date.now() + holdMs
  for (let told = ''; ; ) {
    const payment = await client.waitUntilFinished(id, {
      timeoutMs: giveUpAt - Date.now(),
      until: ({ failure, updatedAt }) => failure !== null && updatedAt !== told,
      signal: hungUp.signal
    })
    if (payment.finished || Date.now() >= giveUpAt) return payment
    // A refused attempt is no end: the page takes another one.
    say(`${payment.failure?.message} The link in your text message still works.`)
    told = payment.updatedAt
  }
}

async function cancel(id: string): Promise<void> {
  await client.post('/v1/payments/{id}/cancellation', {
    ...{ path: { id }, body: { reason: 'hung up' } },
    idempotencyKey: `${callId}.${id}.cancel`
  })
  note(`${id} is cancelled`)
}

/** Tells the caller what came of it; true where another way to pay is offered. */
async function tellOutcome({ id, status, amount, accountId, failure }: Payment): Promise<boolean> {
  note(`${id} is ${status}`)
  if (status === 'captured') {
    const { balance } = await client.get('/v1/accounts/{accountId}', { path: { accountId } })
    const rest = balance.outstanding
    say(
      `Thank you: ${spoken(amount)} is paid. You owe ${rest.value > 0 ? spoken(rest) : 'nothing'}.`
    )
    return false
  }
  if (status === 'pending' || status === 'authorised') {
    say(notKnown)
    return false
  }
  isUnknown = false
  say(failure?.message ?? 'The payment was not made. You have not been charged.')
  return true
}

async function takeCall(): Promise<void> {
  say('Welcome to the payment line.')
  const account = await findAccount()
  if (account.balance.outstanding.value === 0) return say('You owe nothing. Goodbye.')
  const amount = await chooseAmount(account)
  const { data: cards } = await client.get('/v1/accounts/{accountId}/cards', {
    path: { accountId: account.id }
  })
  let offered = cards.slice(0, 8)
  for (let tries = 1; tries <= 3; tries += 1) {
    const menu = offered.map((card, at) => `Press ${at + 2} to pay with ${cardName(card)}.`)
    const key = await ask(['Press 1 for a link by text message.', ...menu].join(' '))
    const card = offered[Number(key) - 2]
    const asked: Partial<CreatePayment> =
      card === undefined
        ? { method: 'paymentLink' }
        : { method: 'registeredCard', registeredCardId: card.id }
    if (card !== undefined) say(`One moment please: we are charging ${cardName(card)}.`)
    if (!(await tellOutcome(await follow(await pay(tries, account, amount, asked))))) break
    offered = offered.filter((other) => other !== card)
  }
  say('Goodbye.')
}

try {
  await takeCall()
} catch (error) {
  if (!hungUp.signal.aborted) {
    say(isUnknown ? notKnown : notNow)
    note(error instanceof PaymentsError ? `${error.code}: ${error.message}` : String(error))
    process.exitCode = 1
  } else note('hung up')
}
phone.close()
