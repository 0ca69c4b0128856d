/** Search as the contact centre does, and an account with all that an agent is asked about. */
import {
  type Account,
  type Charge,
  type Client,
  type Payment,
  PaymentsError,
  type RegisteredCard
} from '../../clients/typescript/src/index.ts'
import { type Html, html, money, time } from '../html.ts'
import { badge, cardText, table, tiles } from '../parts.ts'
import type { Reply, Routes, Visit } from '../web.ts'
import { live, older, page, paymentTable } from './layout.ts'

const statuses = ['pending', 'authorised', 'captured', 'refused', 'cancelled', 'expired', 'failed']
type Status = Payment['status']

export function accountRoutes(api: Client): Routes {
  return {
    'GET /': (visit) => search(api, visit),
    'GET /accounts/:id': (visit) => showAccount(api, visit),
    'POST /accounts/:id/charges/:charge': async ({ params, form }) => {
      const path = { accountId: params.id ?? '', chargeId: params.charge ?? '' }
      const body = { inQuery: form.get('inQuery') === 'true' }
      await api.patch('/v1/accounts/{accountId}/charges/{chargeId}', { path, body })
      return { to: `/accounts/${params.id}` }
    }
  }
}

async function search(api: Client, visit: Visit): Promise<Reply> {
  const asked = (visit.url.searchParams.get('q') ?? '').trim()
  const status = visit.url.searchParams.get('status') ?? ''
  const form = searchForm(asked, status)
  if (asked !== '') {
    const to = await findPlace(api, asked)
    if (to !== undefined) return { to }
    const found = await findPayments(api, asked, status)
    const list = paymentTable(`Found for “${asked}”`, found, 'No payment has that.')
    return page(visit, { title: 'Payments', content: html`${form}${list}` })
  }
  const query = {
    limit: 20,
    ...(statuses.includes(status) && { status: [status as Status] }),
    ...(visit.url.searchParams.has('cursor') && {
      cursor: visit.url.searchParams.get('cursor') ?? ''
    })
  }
  const { data, nextCursor } = await api.get('/v1/payments', { query })
  const list = live('latest', paymentTable('Latest payments', data, 'There is none yet.'))
  const content = html`${form}${list}${older(visit, nextCursor)}`
  return page(visit, { title: 'Payments', content, about: '*' })
}

function searchForm(asked: string, status: string): Html {
  const options = statuses.map(
    (one) => html`<option value="${one}" ${one === status && html`selected`}>${one}</option>`
  )
  return html`<form class="search" role="search" method="get" action="/">
<div class="field"><label for="q">Search</label>
<input id="q" name="q" type="search" value="${asked}" aria-describedby="q-hint" autocomplete="off">
<p class="hint" id="q-hint">Account number, payment, reference, last four digits, or
Adyen’s PSP reference</p></div>
<div class="field"><label for="status">Status</label>
<select id="status" name="status"><option value="">any</option>${options}</select></div>
<button>Search</button></form>`
}

/** Where what was typed is the name of one thing alone. */
async function findPlace(api: Client, asked: string): Promise<string | undefined> {
  if (/^pay_\w+$/.test(asked)) return `/payments/${asked}`
  // Four digits are those of a card.
  if (!/^[1-9]\d{0,7}$/.test(asked) || asked.length === 4) return undefined
  return (await knows(api, asked)) ? `/accounts/${asked}` : undefined
}

async function knows(api: Client, accountId: string): Promise<boolean> {
  try {
    await api.get('/v1/accounts/{accountId}', { path: { accountId } })
    return true
  } catch (error) {
    if (error instanceof PaymentsError && error.status === 404) return false
    throw error
  }
}

/** Each way to read it is asked for; what two ways find is shown once. */
async function findPayments(api: Client, asked: string, status: string): Promise<Payment[]> {
  const common = { limit: 20, ...(statuses.includes(status) && { status: [status as Status] }) }
  const ways = [
    { reference: asked },
    { providerReference: asked },
    ...(/^\d{4}$/.test(asked) ? [{ lastFour: asked }, { accountId: asked }] : [])
  ]
  const pages = await Promise.all(
    ways.map((way) => api.get('/v1/payments', { query: { ...common, ...way } }))
  )
  const byId = new Map(pages.flatMap(({ data }) => data).map((payment) => [payment.id, payment]))
  return [...byId.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
}

async function showAccount(api: Client, visit: Visit): Promise<Reply> {
  const { url, params } = visit
  const path = { accountId: params.id ?? '' }
  const cursor = url.searchParams.get('cursor')
  const query = { ...path, limit: 20, ...(cursor !== null && { cursor }) }
  const [account, payments, charges, cards] = await Promise.all([
    api.get('/v1/accounts/{accountId}', { path }),
    api.get('/v1/payments', { query }),
    api.get('/v1/accounts/{accountId}/charges', { path, query: { limit: 50 } }),
    api.get('/v1/accounts/{accountId}/cards', { path })
  ])
  const { id, name, status, balance } = account
  const none = 'This account has made no payment.'
  const paymentList = paymentTable('Payments', payments.data, none, true)
  const content = html`<p class="lead">${name} ${status === 'closed' && badge('closed')}</p>
${live(
  'balance',
  tiles([
    ['Owes', balance.outstanding],
    ['Overdue', balance.overdue, 'bad'],
    ['In query', balance.inQuery],
    ['Credit', balance.credit, 'good']
  ])
)}<p><a class="button" href="/accounts/${id}/pay">Take a payment</a></p>
${live('payments', html`${paymentList}${older(visit, payments.nextCursor)}`)}
${live('charges', chargeTable(account, charges.data))}
${live('cards', cardTable(cards.data))}`
  return page(visit, { title: `Account ${id}`, content, about: id })
}

function chargeTable({ id, currency }: Account, charges: readonly Charge[]): Html {
  const rows = charges.map((charge) => [
    charge.reference,
    money(charge.amount),
    money({ currency, value: charge.openAmount }),
    time(charge.dueAt, 'day'),
    html`${badge(charge.status)} ${charge.inQuery && badge('inQuery')}`,
    charge.status === 'open' &&
      html`<form method="post" action="/accounts/${id}/charges/${charge.id}">
<input type="hidden" name="inQuery" value="${String(!charge.inQuery)}">
<button class="plain">${charge.inQuery ? 'End the query' : 'Put in query'}
<span class="away">${charge.reference}</span></button></form>`
  ])
  const names = ['Charge', '#Amount', '#Open', 'Due', 'Status', '']
  return table('Charges', names, rows, 'Nothing was charged.')
}

function cardTable(cards: readonly RegisteredCard[]): Html {
  const rows = cards.map(({ brand, lastFour, expiryMonth, expiryYear, createdAt }) => [
    cardText({ brand, lastFour }),
    expiryMonth && `${String(expiryMonth).padStart(2, '0')}/${expiryYear}`,
    time(createdAt, 'day')
  ])
  return table('Registered cards', ['Card', 'Expires', 'Since'], rows, 'No card is registered.')
}
