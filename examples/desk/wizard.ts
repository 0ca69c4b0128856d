/**
 * A payment for a caller, in three steps: how much, with which card, and why. What was chosen
 * stands in the address of the next step, so the desk keeps nothing.
 */
import {
  type Account,
  type Client,
  PaymentsError,
  type RegisteredCard
} from '../../clients/typescript/src/index.ts'
import { type Html, html, money, type Part } from '../html.ts'
import { keepKey, keyField, keyOf } from '../keys.ts'
import {
  alert,
  amountFields,
  cardText,
  choices,
  type Fault,
  facts,
  field,
  readAmount
} from '../parts.ts'
import type { Reply, Routes, Visit } from '../web.ts'
import { faultsOf, page } from './layout.ts'

type Chosen = { account: Account; cards: RegisteredCard[]; values: URLSearchParams }
type Step = 1 | 2 | 3

export function wizardRoutes(api: Client): Routes {
  return {
    'GET /accounts/:id/pay': async (visit) => {
      const chosen = await readChosen(api, visit, visit.url.searchParams)
      const step = Number(chosen.values.get('step'))
      return toStep(visit, chosen, step === 2 || step === 3 ? step : 1)
    },
    'POST /accounts/:id/pay': (visit) => create(api, visit)
  }
}

async function readChosen(api: Client, { params }: Visit, values: URLSearchParams) {
  const path = { accountId: params.id ?? '' }
  const [account, { data: cards }] = await Promise.all([
    api.get('/v1/accounts/{accountId}', { path }),
    api.get('/v1/accounts/{accountId}/cards', { path })
  ])
  return { account, cards, values }
}

/** The step asked for, or the first before it that lacks something. */
function toStep(visit: Visit, chosen: Chosen, step: Step, faults: readonly Fault[] = []): Reply {
  const { account, values } = chosen
  const amount = readAmount(account, values)
  if (step > 1 && 'text' in amount) return show(visit, chosen, 1, [amount])
  if (step > 2 && readCard(chosen) === undefined) {
    return show(visit, chosen, 2, [{ field: 'card', text: 'Choose how the caller pays' }])
  }
  return show(visit, chosen, step, faults)
}

function show(visit: Visit, chosen: Chosen, step: Step, faults: readonly Fault[]): Reply {
  const { account, values } = chosen
  const way = ['Amount', 'Card', 'Reason', 'Outcome'].map(
    (name, at) => html`<li ${at + 1 === step && html`aria-current="step"`}>${name}</li>`
  )
  const forms = {
    1: () => html`${amountFields(account, values, faults)}
<button name="step" value="2">Continue</button>`,
    2: () => cardStep(chosen, faults),
    3: () => reasonStep(visit, chosen, faults)
  }
  const content = html`<p class="lead">For
<a href="/accounts/${account.id}">account ${account.id}</a>
${account.name}</p><ol class="steps" aria-label="Steps">${way}</ol>${alert(faults)}
<form class="panel" method="${step === 3 ? 'post' : 'get'}" action="/accounts/${account.id}/pay">
${forms[step]()}</form>`
  return page(visit, { title: 'Take a payment', content, faults })
}

/** One of the account's cards by its id; `page` or `link` for another. */
function readCard({ cards, values }: Chosen): string | undefined {
  const asked = values.get('card')
  return ['page', 'link', ...cards.map(({ id }) => id)].find((one) => one === asked)
}

const others = [
  { value: 'link', label: 'A link, sent by text', hint: 'Nobody says a card number aloud' },
  { value: 'page', label: 'The card page, opened here', hint: 'For a card that is at hand' }
]

function cardStep(chosen: Chosen, faults: readonly Fault[]): Html {
  const asked = chosen.values.get('card') ?? chosen.cards[0]?.id
  const registered = chosen.cards.map((card) => {
    return { value: card.id, label: cardText(card), hint: 'Registered; charged at once' }
  })
  const options = [...registered, ...others].map((one) => ({
    ...one,
    checked: asked === one.value
  }))
  return html`${kept(chosen, ['amount', 'other'])}
${choices('card', 'How does the caller pay?', options, faults)}
<button name="step" value="3">Continue</button> ${back(chosen, 1)}`
}

function reasonStep({ user }: Visit, chosen: Chosen, faults: readonly Fault[]): Html {
  const { values, cards, account } = chosen
  const card = cards.find(({ id }) => id === readCard(chosen))
  const amount = readAmount(account, values)
  const sum = 'text' in amount ? '' : money(amount)
  const again = html`<label class="choice"><input type="checkbox" name="again" value="yes">
<span>Take it all the same: the caller wants to pay twice</span></label>`
  const why = { name: 'reason', label: 'Why you act for the customer', faults }
  return html`${kept(chosen, ['amount', 'other', 'card'])}
${keyField(values.get('key'))}
<h2>Check with the caller</h2>
${facts([
  ['Name', account.name],
  ['Amount', sum],
  [
    'Paid by',
    card ? cardText(card) : others.find(({ value }) => value === readCard(chosen))?.label
  ],
  ['Operator', user]
])}
${field(
  { ...why, hint: 'Kept with the payment, and your name', value: values.get('reason') ?? '' },
  html`required maxlength="255" autocomplete="off"`
)}${faults.some(({ more }) => more !== undefined) && again}
<button>${card ? `Charge ${sum} now` : 'Make the payment'}</button> ${back(chosen, 2)}`
}

function kept({ values }: Chosen, names: readonly string[]): Part {
  return names
    .filter((name) => values.has(name))
    .map((name) => html`<input type="hidden" name="${name}" value="${values.get(name)}">`)
}

function back({ account, values }: Chosen, step: Step): Html {
  const query = new URLSearchParams({ step: String(step) })
  for (const name of ['amount', 'other', 'card']) {
    if (values.has(name)) query.set(name, values.get(name) ?? '')
  }
  return html`<a class="back" href="/accounts/${account.id}/pay?${query.toString()}">Back</a>`
}

async function create(api: Client, visit: Visit): Promise<Reply> {
  const { form, url, user = '' } = visit
  const chosen = await readChosen(api, visit, form)
  const amount = readAmount(chosen.account, form)
  const [card, reason] = [readCard(chosen), form.get('reason')?.trim()]
  if ('text' in amount || card === undefined) return toStep(visit, chosen, 3)
  if (!reason)
    return toStep(visit, chosen, 3, [{ field: 'reason', text: 'Say why, in a few words' }])
  const ways = {
    page: { method: 'hostedPage', returnUrl: `${url.origin}/back` },
    link: { method: 'paymentLink' }
  } as const
  const way =
    card === 'page' || card === 'link'
      ? ways[card]
      : ({ method: 'registeredCard', registeredCardId: card } as const)
  try {
    const payment = await api.post('/v1/payments', {
      idempotencyKey: keyOf(visit),
      body: {
        ...({ accountId: chosen.account.id, amount, channel: 'agent' } as const),
        ...{ operator: { id: user, reason }, allowDuplicate: form.has('again'), ...way }
      }
    })
    return { to: `/payments/${payment.id}` }
  } catch (error) {
    if (!(error instanceof PaymentsError)) throw error
    keepKey(visit, error)
    return toStep(visit, chosen, 3, faultsOf(error, { '/operator/reason': 'reason' }))
  }
}
