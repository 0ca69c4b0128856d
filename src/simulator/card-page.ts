import { STYLE } from './card-page.style.ts'
import { brandName, type CardFault } from './cards.ts'
import { formatAmount } from './money.ts'
import type { Session, StoredCard } from './state.ts'
import { REFUND_FAILS, REFUSAL_TRIGGERS, TEST_CARDS } from './test-data.ts'

export type PageState = {
  session: Session
  storedCards: StoredCard[]
  faults: CardFault[]
  /** The last attempt was refused. */
  wasRefused: boolean
  /** What may be shown again; never the number or the security code. */
  typed: { expiry: string; holderName: string; card: string | null; consents: boolean }
}

type Field = CardFault['field']

/** The page on which the shopper pays: works without scripts, in any browser, by keyboard. */
export function cardPage(state: PageState): string {
  const { session, faults, wasRefused } = state
  const title = session.request.amount.value === 0 ? 'Register a card' : 'Pay by card'
  const hasFaults = faults.length > 0
  const prefix = hasFaults ? 'Error: ' : wasRefused ? 'Payment refused: ' : ''
  return page(
    `${prefix}${title}`,
    session,
    `<div class="columns">
${summary(session)}
<section class="panel" aria-labelledby="pay-title">
<h1 id="pay-title">${title}</h1>
<p class="brands">Visa, Mastercard, Amex and others</p>
${hasFaults ? faultSummary(faults) : wasRefused ? refusal() : ''}
${form(state)}
<p class="cancel"><a href="/pay/${session.id}/cancel">Cancel and return to ${safe(
      session.request.merchantAccount
    )}</a></p>
</section>
${testData()}
</div>`
  )
}

/** What a shopper sees who comes when nothing can be paid here (any more). */
export function noticePage(
  title: string,
  text: string,
  session: Session | null,
  address: string | null
): string {
  const merchant = safe(session?.request.merchantAccount ?? '')
  const link =
    address === null
      ? ''
      : `<p><a class="button" href="${safe(address)}">Return to ${merchant}</a></p>`
  return page(
    title,
    session,
    `<section class="panel notice" aria-labelledby="notice">
<h1 id="notice">${safe(title)}</h1>
<p>${safe(text)}</p>
${link}
</section>`
  )
}

function page(title: string, session: Session | null, content: string): string {
  const merchant = session?.request.merchantAccount
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${safe(merchant === undefined ? title : `${title} - ${merchant}`)}</title>
<style>${STYLE}</style>
</head>
<body>
<p class="banner" role="note"><strong>Simulator.</strong> No money moves on this page.
Never enter a real card: use a test card.</p>
<main>
${content}
</main>
</body>
</html>
`
}

function summary({ request }: Session): string {
  const isRegistration = request.amount.value === 0
  return `<section class="summary" aria-label="Your payment">
<p class="merchant">${safe(request.merchantAccount)}</p>
<p class="amount"><span>${isRegistration ? 'To pay now' : 'To pay'}</span>
<strong>${safe(formatAmount(request.amount))}</strong></p>
<dl>
<dt>Reference</dt><dd>${safe(request.reference)}</dd>
</dl>
</section>`
}

function faultSummary(faults: CardFault[]): string {
  const items = faults.map(
    ({ field, message }) => `<li><a href="#${field}">${safe(message)}</a></li>`
  )
  return `<div class="alert" role="alert" tabindex="-1" autofocus>
<h2>There is a problem</h2>
<ul>${items.join('')}</ul>
</div>`
}

/** Shoppers are not told why: https://docs.adyen.com/development-resources/refusal-reasons */
function refusal(): string {
  return `<div class="alert" role="alert" tabindex="-1" autofocus>
<h2>The payment was refused</h2>
<p>Nothing was taken. Try again, or use another card.</p>
</div>`
}

function form(state: PageState): string {
  const { session, storedCards, typed } = state
  const { amount } = session.request
  const isRegistration = amount.value === 0
  const pays = isRegistration ? 'Register the card' : `Pay ${safe(formatAmount(amount))}`
  return `<form method="post" action="/pay/${session.id}" novalidate>
${storedCards.length === 0 || isRegistration ? '' : cardChoice(storedCards, typed.card)}
<div class="new-card">
${field(state, {
  name: 'number',
  label: 'Card number',
  attributes: 'inputmode="numeric" autocomplete="cc-number" maxlength="30" spellcheck="false"'
})}
</div>
<div class="row">
<div class="new-card">
${field(state, {
  name: 'expiry',
  label: 'Expiry date',
  hint: 'MM/YY',
  attributes: 'inputmode="numeric" autocomplete="cc-exp" maxlength="9" spellcheck="false"',
  value: typed.expiry
})}
</div>
${field(state, {
  name: 'cvc',
  label: 'Security code',
  hint: '3 or 4 digits',
  attributes: 'inputmode="numeric" autocomplete="cc-csc" maxlength="4" spellcheck="false"'
})}
</div>
<div class="new-card">
${field(state, {
  name: 'holderName',
  label: 'Name on card (optional)',
  attributes: 'autocomplete="cc-name" maxlength="80" spellcheck="false"',
  value: typed.holderName
})}
${consent(session, typed.consents)}
</div>
<button class="button" type="submit">${LOCK}${pays}</button>
</form>`
}

type FieldOptions = {
  name: Field
  label: string
  hint?: string
  attributes: string
  value?: string
}

function field({ faults }: PageState, options: FieldOptions): string {
  const { name, label, hint, attributes, value = '' } = options
  const fault = faults.find((one) => one.field === name)
  const describedBy = [hint && `${name}-hint`, fault && `${name}-error`].filter(Boolean).join(' ')
  return `<div class="field${fault ? ' wrong' : ''}">
<label for="${name}">${label}</label>
${hint ? `<p class="hint" id="${name}-hint">${hint}</p>` : ''}
${fault ? `<p class="error" id="${name}-error">${safe(fault.message)}</p>` : ''}
<input type="text" id="${name}" name="${name}" ${attributes} value="${safe(value)}"${
    fault ? ' aria-invalid="true"' : ''
  }${describedBy === '' ? '' : ` aria-describedby="${describedBy}"`}>
</div>`
}

function cardChoice(storedCards: StoredCard[], chosen: string | null): string {
  const newest = storedCards.at(-1)?.id ?? null
  const selected = chosen ?? newest
  const option = (value: string, label: string, detail: string) => {
    const id = value === 'new' ? ' id="card-new"' : ''
    const checked = value === selected ? ' checked' : ''
    return `<label class="choice">
<input type="radio" name="card" value="${value}"${id}${checked}>
<span>${label}<small>${detail}</small></span></label>`
  }
  const registered = storedCards.map(({ id, card }) =>
    option(
      id,
      `${safe(brandName(card.brand))} ending ${card.lastFour}`,
      `Expires ${card.expiryMonth}/${card.expiryYear.slice(2)}`
    )
  )
  return `<fieldset>
<legend>Pay with</legend>
${registered.join('\n')}
${option('new', 'A new card', '')}
</fieldset>`
}

function consent({ request }: Session, isTicked: boolean): string {
  if (request.shopperReference === undefined) return ''
  const merchant = safe(request.merchantAccount)
  if (request.storePaymentMethodMode === 'enabled') {
    return `<p class="hint">${merchant} will keep this card for later payments.</p>`
  }
  if (request.storePaymentMethodMode !== 'askForConsent') return ''
  return `<label class="choice"><input type="checkbox" name="consents" value="yes"${
    isTicked ? ' checked' : ''
  }><span>Save this card for later payments to ${merchant}</span></label>`
}

function testData(): string {
  const cards = TEST_CARDS.map(
    ({ number, name, cvc = '737' }) =>
      `<tr><td>${name}</td><td><code>${number}</code></td><td>${cvc}</td></tr>`
  )
  const names = REFUSAL_TRIGGERS.map((name) => `<code>${name}</code>`)
  return `<details class="panel">
<summary>Test cards and outcomes</summary>
<p>Any expiry date ahead will do, such as <code>03/30</code>.</p>
<table>
<thead>
<tr><th scope="col">Card</th><th scope="col">Number</th><th scope="col">Code</th></tr>
</thead>
<tbody>${cards.join('\n')}</tbody>
</table>
<p>The name on the card decides the outcome. Any name is approved, except these, which are
refused:</p>
<p class="names">${names.join(' ')}</p>
<p>A raw reason can follow: <code>DECLINED : 06 : ERROR</code>. Also <code>ERROR</code> and
<code>UNKNOWN</code> (an error at the bank), <code>FRAUD_CANCELLED</code>, <code>PENDING</code>
(the outcome comes later) and <code>${REFUND_FAILS}</code> (approved; a later refund fails).</p>
</details>`
}

const LOCK = `<svg aria-hidden="true" width="14" height="16" viewBox="0 0 14 16"><path
fill="currentColor" d="M7 0a4 4 0 0 0-4 4v3H2a1 1 0 0 0-1 1v7a1 1 0 0 0 1 1h10a1 1 0 0 0
1-1V8a1 1 0 0 0-1-1h-1V4a4 4 0 0 0-4-4Zm2.200 7H4.800V4a2.200 2.200 0 0 1 4.400 0Z"/></svg>`

function safe(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;'
  }
  return text.replace(/[&<>"']/g, (sign) => entities[sign] ?? sign)
}
