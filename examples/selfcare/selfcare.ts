/**
 * A customer's page: what is owed, paying it with a new card or a saved one, and what came of it.
 * An example of what can be built on the public API. It needs no script; the key stays here.
 */
import { type Client, PaymentsError } from '../../clients/typescript/src/index.ts'
import { connect } from '../connect.ts'
import { html, money, type Part, time } from '../html.ts'
import { keepKey, keyField, keyOf } from '../keys.ts'
import * as parts from '../parts.ts'
import { notTheirs, sendReceipt } from '../receipt.ts'
import { type Reply, type Routes, startSite, type Visit } from '../web.ts'
import { goneOf, outcomeOf } from './outcomes.ts'

type Options = { host?: string; port: number; api: Client; accountId: string }

/** `accountId` is what the page for signing in suggests. `port` 0 takes any free one. */
export function startSelfcare({ host = '127.0.0.1', port, api, accountId }: Options) {
  const guard = (work: (api: Client, visit: Visit) => Promise<Reply>) => (visit: Visit) =>
    visit.user ? work(api, visit) : showSignIn(accountId)
  const routes: Routes = {
    'GET /': guard(showAccount),
    'POST /pay': guard(pay),
    'POST /cards': guard(saveCard),
    'POST /cards/:id/removal': guard(removeCard),
    'GET /payments/:id': guard(showPayment),
    'GET /payments/:id/receipt': guard((api, visit) => sendReceipt(api, visit, visit.user)),
    // That the customer is back proves nothing: the page asks the API.
    'GET /back': ({ url: { searchParams } }) => {
      const id = searchParams.get('paymentId')
      return { to: id === null ? '/' : `/payments/${encodeURIComponent(id)}?wait=1` }
    },
    'POST /sign-in': ({ form }) => ({ to: '/', user: form.get('account')?.trim() ?? '' }),
    'POST /sign-out': () => ({ to: '/', user: null })
  }
  return startSite({ host, port, name: 'selfcare', files: ['style.css'], routes, onFault })
}

/** `next`: where the browser goes by itself. */
function page(title: string, content: Part, { status = 200, next = '' } = {}): Reply {
  const header = html`<form method="post" action="/sign-out">
<button class="plain">Sign out</button></form>`
  const head = next && html`<meta http-equiv="refresh" content="0;url=${next}">`
  const [site, body] = ['My account', html`class="narrow"`]
  const footer = 'An example of a customer’s page, over the public API.'
  return { page: parts.toDocument({ site, title, header, head, body, content, footer }), status }
}

function showSignIn(value: string): Reply {
  const hint = 'An example: the number is believed. Yours asks for more.'
  const asked = { name: 'account', label: 'Account number', value, hint, faults: [] }
  const field = parts.field(asked, html`required inputmode="numeric"`)
  const form = html`<form class="panel" method="post" action="/sign-in">${field}
<button>Sign in</button></form>`
  return page('Sign in', form)
}

const backTo = ({ url }: Visit) => `${url.origin}/back`
const pathOf = ({ user = '' }: Visit) => ({ path: { accountId: user } })

async function showAccount(api: Client, visit: Visit, faults: parts.Fault[] = []): Promise<Reply> {
  const path = pathOf(visit)
  const [account, charges, cards, payments] = await Promise.all([
    api.get('/v1/accounts/{accountId}', path),
    api.get('/v1/accounts/{accountId}/charges', { ...path, query: { status: 'open', limit: 20 } }),
    api.get('/v1/accounts/{accountId}/cards', path),
    api.get('/v1/payments', { query: { ...path.path, limit: 8 } })
  ])
  const { name, id, currency, balance } = account
  const saved = cards.data.map((card, at) => {
    return { value: card.id, label: parts.cardText(card), checked: at === 0 }
  })
  const ways = [...saved, { value: 'new', label: 'A new card', checked: saved.length === 0 }]
  const bills = charges.data.map(({ reference, openAmount, dueAt, inQuery }) => [
    reference,
    money({ currency, value: openAmount }),
    html`${time(dueAt, 'day')} ${inQuery && parts.badge('inQuery')}`
  ])
  const made = payments.data.map((payment) => [
    html`<a href="/payments/${payment.id}">${time(payment.createdAt)}</a>`,
    money(payment.amount),
    parts.badge(payment.status, outcomeOf(payment)[0])
  ])
  const kept = saved.map(({ value, label }) => [
    label,
    html`<form method="post" action="/cards/${value}/removal"><button class="plain">Remove
<span class="away">${label}</span></button></form>`
  ])
  const content = html`<p class="lead">${name}, account ${id}</p>${parts.alert(faults)}
${parts.tiles([
  ['You owe', balance.outstanding],
  ['Overdue', balance.overdue, 'bad'],
  ['Credit', balance.credit, 'good']
])}<form class="panel" method="post" action="/pay">
${keyField(visit.form.get('key'))}
${parts.amountFields(account, faults.length > 0 ? visit.form : new URLSearchParams(), faults)}
${parts.choices('card', 'How?', ways)}
<button>Pay</button></form>
${parts.table('What it is for', ['Bill', '#To pay', 'Due'], bills, 'Nothing is open.')}
${parts.table('Your payments', ['Payment', '#Amount', 'Status'], made, 'You have made none yet.')}
${parts.table('Your cards', ['Card', ''], kept, 'You have saved no card.')}
<form method="post" action="/cards"><p><button>Save a card</button></p></form>`
  if (faults.length === 0) return page('Your balance', content)
  return page('Your balance: please check', content, { status: 422 })
}

async function pay(api: Client, visit: Visit): Promise<Reply> {
  const [{ form }, { path }] = [visit, pathOf(visit)]
  const amount = parts.readAmount(await api.get('/v1/accounts/{accountId}', { path }), form)
  if ('text' in amount) return showAccount(api, visit, [amount])
  const card = form.get('card') ?? 'new'
  const way =
    card === 'new'
      ? ({ method: 'hostedPage', saveCard: 'ask' } as const)
      : ({ method: 'registeredCard', registeredCardId: card } as const)
  try {
    const { id } = await api.post('/v1/payments', {
      idempotencyKey: keyOf(visit),
      body: { ...path, amount, channel: 'selfcare', returnUrl: backTo(visit), ...way }
    })
    return { to: `/payments/${id}?go` }
  } catch (error) {
    if (!(error instanceof PaymentsError) || error.status === undefined) throw error
    keepKey(visit, error)
    const { message: text, paymentId } = error
    const more = html`<a href="/payments/${paymentId}">See that payment</a>`
    return showAccount(api, visit, [{ text, ...(paymentId !== undefined && { more }) }])
  }
}

async function saveCard(api: Client, visit: Visit): Promise<Reply> {
  const asked = { ...pathOf(visit), body: { returnUrl: backTo(visit) } }
  const { checkout } = await api.post('/v1/accounts/{accountId}/card-registrations', asked)
  return leave('Save a card', checkout?.url ?? '/')
}

async function removeCard(api: Client, visit: Visit): Promise<Reply> {
  const path = { ...pathOf(visit).path, cardId: visit.params.id ?? '' }
  await api.delete('/v1/accounts/{accountId}/cards/{cardId}', { path })
  return { to: '/' }
}

/** A page between: the answer to a form may not lead to another site. */
function leave(title: string, url: string): Reply {
  const content = html`<p>You are taken to the secure card page.</p>
<p><a class="button" href="${url}">Go on to the card page</a></p>`
  return page(title, content, { next: url })
}

async function showPayment(api: Client, visit: Visit): Promise<Reply> {
  const { params, url, user, signal } = visit
  // The page is shown at once; asked for again, it is answered when there is news.
  const turn = Number(url.searchParams.get('wait') ?? 0)
  const wait = turn > 0 ? { waitS: turn === 1 ? 2 : 20, signal } : {}
  const payment = await api.get('/v1/payments/{id}', { path: { id: params.id ?? '' }, ...wait })
  const { id, status, checkout, amount, amountCaptured, card } = payment
  const [gone, [word, text]] = [goneOf(payment), outcomeOf(payment)]
  if (payment.accountId !== user) throw notTheirs
  const openPage = status === 'pending' ? checkout?.url : undefined
  if (openPage !== undefined && url.searchParams.has('go')) return leave('Pay', openPage)
  const content = html`<div class="panel">
<p role="status">${parts.badge(status, word)} <b>${text}</b></p>
${openPage && html`<p><a class="button" href="${openPage}">Back to the card page</a></p>`}
${parts.facts([
  ['Amount', money(amount)],
  ['Made', time(payment.createdAt)],
  ['Card', card && parts.cardText(card)],
  ['For', payment.description],
  ['Went back', gone > 0 && money({ ...amount, value: gone })],
  ['Reference', id]
])}</div>${amountCaptured > 0 && html`<p><a href="/payments/${id}/receipt">Receipt</a></p>`}
${toBalance}`
  if (status !== 'pending' || turn > 20) return page('Your payment', content)
  return page('Your payment', content, { next: `/payments/${id}?wait=${turn + 1}` })
}

const toBalance = html`<p><a href="/">To your balance</a></p>`

function onFault(error: unknown): Reply {
  const isMissing = error instanceof PaymentsError && error.status === 404
  const later = 'We cannot show this now. If you were paying, look again before you pay once more.'
  const content = html`<p>${isMissing ? 'There is nothing here.' : later}</p>${toBalance}`
  return page(isMissing ? 'Not found' : 'Not now', content, { status: isMissing ? 404 : 503 })
}

/** By itself, beside the sandbox. */
if (import.meta.main) {
  const { SELFCARE_PORT: port = '3004', ACCOUNT_ID: accountId = '10000001' } = process.env
  const api = await connect(process.env)
  console.log((await startSelfcare({ port: Number(port), api, accountId })).url)
}
