/** What a payment that is posted to TMF676 asks for. Pure. */
import type { Fault } from '../checkout/create.ts'
import type { RecordedOutcome } from '../checkout/recorded-payment.ts'
import { isIdentifier } from '../identifier.ts'
import type { Money } from '../money.ts'
import { type Channel, channels, type Operator, type PaymentTerms } from '../payments/payment.ts'
import type { CardFace } from '../provider.ts'
import { readTmfMoney, type TmfMoney } from '../tmf/tmf-money.ts'
import { isUri } from '../tmf/tmf-reference.ts'
import { findBadText } from './bad-text.ts'
import { findCardSecrets } from './card-secrets.ts'
import { methodTypes } from './tmf-payment.ts'

type Members = Record<string, unknown>
type Method = Members & { id?: string; '@type'?: string; '@referredType'?: string }

/** As the schema has let it pass, with its numbers as they were written. */
export type PaymentPost = {
  account: { id: string }
  paymentMethod: Method
  totalAmount: TmfMoney
  correlatorId?: string
  authorizationCode?: string
  description?: string
  paymentDate?: string
  status?: 'captured' | 'done' | 'denied' | 'failed'
  channel?: { id: string }
  paymentItem?: Array<{ item: { id: string }; totalAmount?: TmfMoney; amount?: TmfMoney }>
  characteristic?: Array<{ name: string; value?: unknown }>
}

type Terms = Omit<PaymentTerms, 'method' | 'metadata' | 'customer'>
/** A payment that is taken here, or one that was taken elsewhere. */
export type PaymentPlan =
  | { way: 'create'; method: 'hostedPage' | 'paymentLink' | 'registeredCard'; terms: Terms }
  | {
      way: 'record'
      terms: Terms
      authorisationCode: string | null
      takenAt: Date | null
      reported: RecordedOutcome
    }

/** The plan and all that is wrong with it; where anything is, the plan is not to be followed. */
export function readPaymentPost(post: PaymentPost): { plan: PaymentPlan; faults: Fault[] } {
  const faults: Fault[] = [...findCardSecrets(post), ...findBadText(post)]
  const fault = (pointer: string, detail: string) =>
    faults.push({ code: 'request_invalid', pointer, detail })
  const amount = readAmount(post.totalAmount, '/totalAmount', faults)
  const said = (name: string) => readCharacteristic(post, name, fault)
  const method = methodOf(post)
  const { channel, operator } = readChannel(post, said, fault)
  const isHere = method !== 'recorded'
  if (isHere && post.status !== undefined) {
    fault('/status', 'is ours to say of a payment that is made here')
  }
  if (isHere && post.paymentDate !== undefined) {
    fault('/paymentDate', 'is ours to say of a payment that is made here')
  }
  const returnUrl = isHere ? said('returnUrl') : null
  if (returnUrl !== null && !/^[\x21-\x7e]+$/.test(returnUrl)) {
    fault('/characteristic', 'returnUrl must be an address, percent-encoded')
  }
  if (method === 'hostedPage' && returnUrl === null) {
    fault('/characteristic', 'needs a returnUrl, where the browser goes in the end')
  }
  if (method === 'registeredCard' && post.paymentMethod.id === undefined) {
    fault('/paymentMethod/id', 'must say which registered card')
  }
  const terms: Terms = {
    accountId: Number(post.account.id),
    amount,
    channel,
    operator,
    reference: post.correlatorId ?? null,
    description: post.description ?? null,
    returnUrl,
    registeredCardId: method === 'registeredCard' ? (post.paymentMethod.id ?? null) : null,
    capture: readWord(said('capture'), ['automatic', 'manual'], 'automatic', fault),
    paymentMethods: null,
    saveCard: readWord(said('saveCard'), ['never', 'ask', 'always'], 'never', fault),
    allocations: isHere ? readAllocations(post, amount, faults) : null
  }
  if (method !== 'recorded') return { plan: { way: 'create', method, terms }, faults }
  const plan: PaymentPlan = {
    way: 'record',
    terms,
    authorisationCode: post.authorizationCode ?? null,
    takenAt: post.paymentDate === undefined ? null : new Date(post.paymentDate),
    reported: toOutcome(post)
  }
  return { plan, faults }
}

const none: Money = { currency: '', value: 0 }

function readAmount(money: TmfMoney, pointer: string, faults: Fault[]): Money {
  const read = readTmfMoney(money)
  if ('currency' in read) return read
  faults.push({ code: read.code, pointer: `${pointer}${read.at}`, detail: read.detail })
  return none
}

/**
 * An authorisation code says that it was paid already. A registered card is known by the form of
 * its id; the page and the link by their types, as `@type` or as what is referred to.
 */
function methodOf({ paymentMethod, authorizationCode }: PaymentPost): keyof typeof methodTypes {
  if (authorizationCode !== undefined) return 'recorded'
  const { id, '@type': type, '@referredType': referred } = paymentMethod
  if (id !== undefined && /^(crd|reg)_/.test(id)) return 'registeredCard'
  for (const method of ['hostedPage', 'paymentLink', 'registeredCard'] as const) {
    const own = methodTypes[method].toLowerCase()
    if (type?.toLowerCase() === own || referred?.toLowerCase() === own) return method
  }
  return 'recorded'
}

type Say = (pointer: string, detail: string) => void

/** A text among the characteristics; null where there is none. */
function readCharacteristic({ characteristic = [] }: PaymentPost, name: string, fault: Say) {
  const at = characteristic.findIndex((one) => one.name === name)
  const value = characteristic[at]?.value
  if (at < 0) return null
  const isText = typeof value === 'string' && value.length <= 1024 && !/\p{Cc}/u.test(value)
  if (isText && (name !== 'returnUrl' || isUri(value))) return value
  fault(
    `/characteristic/${at}/value`,
    `of ${name} must be ${name === 'returnUrl' ? 'a URI' : 'a text'} of at most 1024 characters`
  )
  return null
}

function readWord<T extends string>(
  given: string | null,
  words: readonly T[],
  otherwise: T,
  fault: Say
): T {
  if (given === null) return otherwise
  const word = words.find((one) => one === given)
  if (word === undefined) fault('/characteristic', `${given} must be one of ${words.join(', ')}`)
  return word ?? otherwise
}

/** One of another name is that of a system; whoever acts for a customer is named. */
function readChannel({ channel }: PaymentPost, said: (name: string) => string | null, fault: Say) {
  const known = channels.find((one) => one === channel?.id.toLowerCase()) ?? 'service'
  const id = said('operatorId')
  const reason = said('operatorReason')
  const operator: Operator | null = id === null ? null : { id, ...(reason !== null && { reason }) }
  if (known === 'agent' && (id === null || reason === null)) {
    const detail = 'of the channel agent needs operatorId and operatorReason'
    fault('/characteristic', detail)
  }
  if (id !== null && !isOperatorId(id)) fault('/characteristic', `operatorId ${operatorIdRule}`)
  if (reason !== null && (reason.length > 255 || !isIdentifier(reason))) {
    const detail = 'operatorReason must have at most 255 characters, all of which can be seen'
    fault('/characteristic', detail)
  }
  return { channel: known as Channel, operator }
}

/** As /v1 has it. */
export const isOperatorId = (id: string) => id.length <= 80 && isIdentifier(id)
export const operatorIdRule = 'must have at most 80 characters, all of which can be seen'

/** Of what it pays the charges that are ours; without an amount of its own there is the whole. */
function readAllocations({ paymentItem = [] }: PaymentPost, whole: Money, faults: Fault[]) {
  const named = paymentItem.flatMap(({ item, totalAmount, amount }, at) => {
    if (!/^chg_/.test(item.id)) return []
    const given = totalAmount ?? amount
    const pointer = `/paymentItem/${at}/${totalAmount === undefined ? 'amount' : 'totalAmount'}`
    const part = given === undefined ? whole : readAmount(given, pointer, faults)
    if (part !== none && whole !== none && part.currency !== whole.currency) {
      const detail = `must be ${whole.currency}, as the payment is`
      faults.push({ code: 'currency_mismatch', pointer: `${pointer}/unit`, detail })
    }
    return [{ chargeId: item.id, amount: part.value }]
  })
  return named.length === 0 ? null : named
}

function toOutcome({ status, paymentMethod }: PaymentPost): RecordedOutcome {
  const card = toFace(paymentMethod)
  if (status !== 'denied' && status !== 'failed') return { outcome: 'captured', card }
  const failure = {
    code: 'unknown',
    message: 'Refused by the processor.',
    retryable: true
  } as const
  return { outcome: 'refused', card, failure }
}

/** What is known of the card; null where it is none. */
function toFace({ brand, lastFourDigits, expirationDate, cardType }: Method): CardFace | null {
  const text = (value: unknown) => (typeof value === 'string' ? value : null)
  const [, year, month] = /^(\d{4})-(\d\d)/.exec(text(expirationDate) ?? '') ?? []
  const face = {
    brand: text(brand),
    lastFour: text(lastFourDigits),
    expiryMonth: month === undefined ? null : Number(month),
    expiryYear: year === undefined ? null : Number(year),
    funding: text(cardType)
  }
  const isKnown = Object.values(face).some((one) => one !== null)
  return isKnown ? { ...face, registeredCardId: null } : null
}
