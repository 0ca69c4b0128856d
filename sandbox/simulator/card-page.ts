import { brandName, type CardFault } from './cards.ts'
import { isLink, isRegistration, pathOf } from './checkouts.ts'
import { formatAmount } from './money.ts'
import { LOCK, page, safe } from './page-shell.ts'
import type { Checkout, StoredCard } from './state.ts'
import {
  CAPTURE_FAILS,
  CHALLENGE_PASSWORD,
  REFUND_FAILS,
  REFUSAL_TRIGGERS,
  TEST_CARDS
} from './test-data.ts'
import { offersOf, WALLETS } from './wallets.ts'

export type PageState = {
  checkout: Checkout
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
  const { checkout, faults, wasRefused } = state
  const { merchantAccount } = checkout.request
  const title = isRegistration(checkout) ? 'Save your card' : 'Pay by card'
  const hasFaults = faults.length > 0
  const refused = isRegistration(checkout) ? 'Card refused: ' : 'Payment refused: '
  const prefix = hasFaults ? 'Error: ' : wasRefused ? refused : ''
  return page(
    `${prefix}${title}`,
    merchantAccount,
    `<div class="columns">
${summary(checkout)}
<section class="panel" aria-labelledby="pay-title">
<h1 id="pay-title">${title}</h1>
<p class="brands">Visa, Mastercard, Amex and others</p>
${hasFaults ? faultSummary(faults) : wasRefused ? refusal(checkout) : ''}
${walletButtons(checkout)}
${offersOf(checkout).cards ? form(state) : ''}
${isLink(checkout) ? '' : cancelLink(checkout)}
</section>
${testData()}
</div>`
  )
}

function cancelLink(checkout: Checkout): string {
  const merchant = safe(checkout.request.merchantAccount)
  const address = `${pathOf(checkout)}/cancel`
  return `<p class="cancel"><a href="${address}">Cancel and return to ${merchant}</a></p>`
}

function summary(checkout: Checkout): string {
  const { request } = checkout
  const amount = isRegistration(checkout)
    ? '<p class="brands">Nothing is taken now</p>'
    : `<p class="amount"><span>To pay</span>
<strong>${safe(formatAmount(request.amount))}</strong></p>`
  const description = isLink(checkout) ? checkout.request.description : undefined
  return `<section class="summary" aria-label="Your payment">
<p class="merchant">${safe(request.merchantAccount)}</p>
${amount}
${description === undefined ? '' : `<p class="description">${safe(description)}</p>`}
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
function refusal(checkout: Checkout): string {
  const what = isRegistration(checkout) ? 'card' : 'payment'
  return `<div class="alert" role="alert" tabindex="-1" autofocus>
<h2>The ${what} was refused</h2>
<p>Nothing was taken. Try again, or use another card.</p>
</div>`
}

/** Forms of their own: the key Enter in the card form presses the card form's button. */
function walletButtons(checkout: Checkout): string {
  const { cards, wallets } = offersOf(checkout)
  if (wallets.length === 0) return ''
  const buttons = wallets.map(
    (wallet) =>
      `<button class="button wallet" type="submit" name="wallet" value="${wallet}">
Pay with ${WALLETS[wallet].name}</button>`
  )
  return `<form method="post" action="${pathOf(checkout)}" aria-label="Pay with a wallet">
${buttons.join('\n')}
<p class="hint">Simulated: the wallet asks nothing, and its test card is good.</p>
</form>
${cards ? '<p class="or">or by card</p>' : ''}`
}

function form(state: PageState): string {
  const { checkout, storedCards, typed } = state
  const { amount } = checkout.request
  const isToSave = isRegistration(checkout)
  const pays = isToSave ? 'Save card' : `Pay ${safe(formatAmount(amount))}`
  return `<form method="post" action="${pathOf(checkout)}" novalidate>
${storedCards.length === 0 || isToSave ? '' : cardChoice(storedCards, typed.card)}
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
${consent(checkout, typed.consents)}
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

function consent(checkout: Checkout, isTicked: boolean): string {
  const { request } = checkout
  if (request.shopperReference === undefined) return ''
  const merchant = safe(request.merchantAccount)
  const { storePaymentMethodMode: mode } = request
  if (mode !== 'enabled' && mode !== 'askForConsent') return ''
  if (mode === 'enabled' || isRegistration(checkout)) {
    return `<p class="hint">${merchant} will keep this card for later payments.</p>`
  }
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
<p>With 3-D Secure the password is <code>${CHALLENGE_PASSWORD}</code>; any other is refused.</p>
<p>The name on the card decides the outcome. Any name is approved, except these, which are
refused:</p>
<p class="names">${names.join(' ')}</p>
<p>A raw reason can follow: <code>DECLINED : 06 : ERROR</code>. Also <code>ERROR</code> and
<code>UNKNOWN</code> (an error at the bank), <code>FRAUD_CANCELLED</code>, <code>PENDING</code>
(the outcome comes later), <code>${REFUND_FAILS}</code> and <code>${CAPTURE_FAILS}</code> (approved;
a later refund, or the capture, fails).</p>
</details>`
}
