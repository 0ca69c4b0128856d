/** Parts that the pages of the examples are made of; style.css has their look. */
import type { Account, Amount, Card } from '../clients/typescript/src/index.ts'
import { type Html, html, money, type Part, plainMoney, readMoney, words } from './html.ts'

type Document = {
  title: string
  /** What the site is called, and where its first page is. */
  site: string
  /** Beside its name. */
  header?: Part
  head?: Part
  /** Attributes of the body. */
  body?: Html
  content: Part
  footer: string
}

export function toDocument({ title, site, header, head, body, content, footer }: Document): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} – ${site}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
${head}</head>
<body ${body}>
<a class="skip" href="#main">Skip to the content</a>
<header><a class="brand" href="/">${site}</a>${header}</header>
<main id="main" tabindex="-1">
<h1>${title}</h1>
${content}
</main>
<footer>${footer}</footer>
</body>
</html>
`
}

const tones: Readonly<Record<string, string>> = {
  ...{ captured: 'good', succeeded: 'good', won: 'good', delivered: 'good', paid: 'good' },
  ...{ enabled: 'good', resolved: 'good', completed: 'good' },
  ...{ pending: 'wait', authorised: 'wait', requested: 'wait', awaitingApproval: 'wait' },
  ...{ open: 'wait', refused: 'bad', failed: 'bad', rejected: 'bad', lost: 'bad' }
}

/** A status in words; the colour only helps. */
export function badge(status: string, text = words(status)): Html {
  return html`<span class="badge ${tones[status] ?? 'off'}">${text}</span>`
}

/**
 * The first cell heads its row. A name with `#` before it is of numbers. Narrow screens stack the
 * cells; the roles keep it a table there.
 */
export function table(
  caption: Part,
  names: readonly string[],
  rows: readonly (readonly Part[])[],
  empty: string
): Html {
  if (rows.length === 0) return html`<h2>${caption}</h2><p class="empty">${empty}</p>`
  const columns = names.map((name) => ({
    name: name.replace('#', ''),
    kind: name.startsWith('#') ? 'number' : ''
  }))
  const heads = columns.map(({ name, kind }) => {
    const text = name || html`<span class="away">What can be done</span>`
    return html`<th scope="col" role="columnheader" class="${kind}">${text}</th>`
  })
  const toCell = (cell: Part, at: number) => {
    if (at === 0) return html`<th scope="row" role="rowheader">${cell}</th>`
    const { name, kind } = columns[at] ?? { name: '', kind: '' }
    return html`<td role="cell" class="${kind}" data-label="${name}"><div>${cell}</div></td>`
  }
  return html`<h2>${caption}</h2><table role="table"><caption class="away">${caption}</caption>
<thead role="rowgroup"><tr role="row">${heads}</tr></thead>
<tbody role="rowgroup">${rows.map((row) => html`<tr role="row">${row.map(toCell)}</tr>\n`)}</tbody>
</table>`
}

/** Names and values; what has no value is left out. */
export function facts(pairs: readonly (readonly [name: string, value: Part])[]): Html {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined)
  const items = shown
    .filter(([, value]) => value !== '' && value !== false)
    .map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>\n`)
  return html`<dl class="facts">${items}</dl>`
}

/** Amounts side by side; a tone is given to what is more than nothing. */
export function tiles(
  all: readonly (readonly [name: string, amount: Money, tone?: string])[]
): Html {
  const items = all.map(
    ([name, amount, tone]) => html`<div class="${amount.value > 0 && tone}">
<dt>${name}</dt><dd>${money(amount)}</dd></div>`
  )
  return html`<dl class="tiles">${items}</dl>`
}
type Money = { currency: string; value: number }

export type Fault = { field?: string; text: string; more?: Html }

/** What is wrong, above all else, with the way to each field. */
export function alert(faults: readonly Fault[]): Part {
  if (faults.length === 0) return null
  const items = faults.map(({ field, text, more }) => {
    return html`<li>${field ? html`<a href="#${field}">${text}</a>` : text} ${more}</li>`
  })
  return html`<div class="alert" role="alert"><h2>This did not work</h2><ul>${items}</ul></div>`
}

type Field = {
  name: string
  label: string
  hint?: string
  value?: string
  faults: readonly Fault[]
}

/** A text field with its label, its hint, and what was wrong with it. */
export function field(
  { name, label, hint, value, faults }: Field,
  attributes: Html = html``
): Html {
  const fault = faults.find((one) => one.field === name)
  const described = [hint && `${name}-hint`, fault && `${name}-fault`].filter(Boolean).join(' ')
  return html`<div class="field"><label for="${name}">${label}</label>
${hint && html`<p class="hint" id="${name}-hint">${hint}</p>`}
${fault && html`<p class="fault" id="${name}-fault">${fault.text}</p>`}
<input id="${name}" name="${name}" value="${value}" ${fault && html`aria-invalid="true"`}
${described && html`aria-describedby="${described}"`} ${attributes}></div>`
}

type Choice = { value: string; label: Part; hint?: Part; checked?: boolean }

/** One of several, as radio buttons. */
export function choices(
  name: string,
  legend: string,
  options: readonly Choice[],
  faults: readonly Fault[] = []
): Html {
  const fault = faults.find((one) => one.field === name)
  const items = options.map(
    ({ value, label, hint, checked }, at) => html`<label class="choice"><input type="radio"
name="${name}" value="${value}" ${at === 0 && html`id="${name}"`} ${checked && html`checked`}>
<span>${label}${hint && html` <small>${hint}</small>`}</span></label>`
  )
  return html`<fieldset ${fault && html`aria-describedby="${name}-fault"`}>
<legend>${legend}</legend>
${fault && html`<p class="fault" id="${name}-fault">${fault.text}</p>`}${items}</fieldset>`
}

/** The amounts that an account may be paid: fields `amount` and, for any other, `other`. */
export function amountFields(
  { balance: { outstanding, overdue } }: Account,
  values: URLSearchParams,
  faults: readonly Fault[]
): Html {
  const asked = values.get('amount')
  const all = { amount: outstanding, label: 'All that is owed' }
  const due = { amount: overdue, label: 'What is overdue' }
  const owed = [all, ...(overdue.value < outstanding.value ? [due] : [])].filter(
    ({ amount }) => amount.value > 0
  )
  const options = owed.map(({ amount, label }, at) => ({
    ...{ value: plainMoney(amount), label: html`${label}: <b>${money(amount)}</b>` },
    checked: asked === null ? at === 0 : asked === plainMoney(amount)
  }))
  const isOther = asked === null ? owed.length === 0 : asked === 'other'
  const other = { value: 'other', label: 'Another amount', checked: isOther }
  const label = `Another amount, in ${outstanding.currency}`
  const text = { name: 'other', label, value: values.get('other') ?? '', faults }
  return html`${choices('amount', 'How much is paid?', [...options, other], faults)}
${field(text, html`inputmode="decimal" autocomplete="off"`)}`
}

/** What those fields say: the amount, or what is wrong with them. */
export function readAmount({ currency }: Account, values: URLSearchParams): Amount | Fault {
  const asked = values.get('amount')
  const amount = readMoney((asked === 'other' ? values.get('other') : asked) ?? '', currency)
  if (amount !== undefined) return amount
  return asked === 'other'
    ? { field: 'other', text: 'Type an amount, such as 25.00' }
    : { field: 'amount', text: 'Choose an amount' }
}

const brands: Readonly<Record<string, string>> = { mc: 'Mastercard', amex: 'American Express' }

export function cardText(card: Pick<Card, 'brand' | 'lastFour'> | null): string {
  if (!card?.brand && !card?.lastFour) return '–'
  return `${brands[card.brand ?? ''] ?? words(card.brand ?? 'card')} ending ${card.lastFour ?? '?'}`
}
