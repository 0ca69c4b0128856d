/** What every page of the desk has around it, and what its rows look like everywhere. */
import type { Payment, PaymentsError } from '../../clients/typescript/src/index.ts'
import { type Html, html, money, type Part, time, words } from '../html.ts'
import { badge, cardText, type Fault, table, toDocument } from '../parts.ts'
import type { Page, Visit } from '../web.ts'

const places = [
  ['/', 'Payments'],
  ['/approvals', 'Approvals'],
  ['/disputes', 'Disputes'],
  ['/discrepancies', 'Discrepancies'],
  ['/webhooks', 'Webhooks']
] as const

type Asked = {
  title: string
  content: Part
  /** A payment or account: what happens to it is shown at once. `*` for all, none for nothing. */
  about?: string
  /** Without script the page asks again at once, and is answered when there is something new. */
  waitAt?: string | undefined
  faults?: readonly Fault[]
}

export function page({ url, user }: Visit, asked: Asked): Page {
  const { about, waitAt, faults = [] } = asked
  const links = places.map(([href, name]) => {
    const isHere = url.pathname === href
    return html`<li><a href="${href}" ${isHere && html`aria-current="page"`}>${name}</a></li>`
  })
  const header = html`<nav aria-label="Desk"><ul>${links}</ul></nav>
<form method="post" action="/sign-out"><span>Signed in as <b>${user}</b></span>
<button class="plain">Sign out</button></form>`
  const again = html`<meta http-equiv="refresh" content="0;url=${waitAt}">`
  const document = toDocument({
    site: 'Payments desk',
    title: faults.length > 0 ? `${asked.title}: please check` : asked.title,
    header: user && header,
    head: html`${about && html`<script src="/live.js" defer></script>`}
${waitAt && html`<noscript>${again}</noscript>`}`,
    body: about ? html`data-about="${about}"` : html``,
    content: asked.content,
    footer:
      'An example of a contact centre’s screen, over the public API. Signing in is a name only.'
  })
  return { page: document, status: faults.length > 0 ? 422 : 200 }
}

/** A part that is fetched again when something happens; see live.js. */
export function live(id: string, content: Part): Html {
  return html`<section id="${id}" data-live>${content}</section>`
}

export const methods: Readonly<Record<Payment['method'], string>> = {
  ...{ hostedPage: 'Card page', paymentLink: 'Link' },
  ...{ registeredCard: 'Registered card', recorded: 'Taken elsewhere' }
}
export const channels: Readonly<Record<Payment['channel'], string>> = {
  ...{ selfcare: 'selfcare', ivr: 'IVR', agent: 'agent', service: 'a service' }
}

/** A table of payments; on an account's page its number is left out. */
export function paymentTable(
  caption: string,
  payments: readonly Payment[],
  empty: string,
  isOfAccount = false
): Html {
  const keep = <T>(cells: readonly T[]) => cells.filter((_cell, at) => !(isOfAccount && at === 1))
  const rows = payments.map((payment) =>
    keep([
      html`<a href="/payments/${payment.id}">${payment.reference ?? payment.id}</a>`,
      html`<a href="/accounts/${payment.accountId}">${payment.accountId}</a>`,
      money(payment.amount),
      html`${badge(payment.status)}${goneBack(payment)}`,
      `${methods[payment.method]}, ${channels[payment.channel]}`,
      cardText(payment.card),
      time(payment.createdAt)
    ])
  )
  const names = ['Payment', 'Account', '#Amount', 'Status', 'Made', 'Card', 'When']
  return table(caption, keep(names), rows, empty)
}

/** What is no longer there, under its status. */
export function goneBack({ amount, amountRefunded, amountChargedBack }: Payment): Part {
  const sum = (value: number, what: string) =>
    value > 0 && html` <small>${money({ ...amount, value })} ${what}</small>`
  return [sum(amountRefunded, 'refunded'), sum(amountChargedBack, 'charged back')]
}

/** What the service refused, for the person who asked; `fields` leads its pointers to ours. */
export function faultsOf(
  error: PaymentsError,
  fields: Readonly<Record<string, string>> = {}
): Fault[] {
  const found = error.errors.map(({ pointer, detail }) => {
    const field = fields[pointer]
    return field === undefined
      ? { text: `${words(pointer.replaceAll('/', ' ').trim())}: ${detail}` }
      : { field, text: detail }
  })
  if (found.length > 0) return found
  const { message: text, paymentId } = error
  if (paymentId === undefined) return [{ text }]
  return [{ text, more: html`<a href="/payments/${paymentId}">See that payment</a>` }]
}

/** A list of the API: its next page keeps what was asked. */
export function older({ url }: Visit, nextCursor: string | null): Part {
  if (nextCursor === null) return null
  const query = new URLSearchParams(url.search)
  query.set('cursor', nextCursor)
  return html`<p><a href="${url.pathname}?${query.toString()}">Older</a></p>`
}
