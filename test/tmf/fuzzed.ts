/** Requests to the façades as nobody would send them, and many that are nearly right. */
import fc from 'fast-check'

/** As it goes over the wire: `path` with its query, in ASCII: Node's parser takes no other. */
export type FuzzedRequest = {
  method: string
  path: string
  headers: Record<string, string>
  body: string | null
}

/** What is there, so that many requests meet something. */
export type Known = { accounts: string[]; payments: string[]; refunds: string[]; cards: string[] }

const collections = [
  '/tmf-api/paymentManagement/v4/payment',
  '/tmf-api/paymentManagement/v4/refund',
  '/tmf-api/paymentManagement/v4/hub',
  '/tmf-api/paymentMethod/v4/paymentMethod',
  '/tmf-api/accountManagement/v4/billingAccount'
] as const
type Collection = (typeof collections)[number]

/** Beyond 16 KiB of headers Node refuses by itself, in no form of a façade. */
const longest = 14_000

const anyText = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom('', '\0', '💳', 'e\u0301', '\u202e', "'", '"', '%', '../')
  },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(101), 'é'.repeat(3000), '9'.repeat(40)) },
  { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', 'null', 'NaN') }
)
const anyNumber = fc.oneof(
  fc.integer(),
  fc.constantFrom('-1', '0', '1e400', '1e-9', '+5', '0x10', '٣', '1.', '9007199254740993')
)
const anyMoment = fc.oneof(
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc.constantFrom('2026-11-22', '2026-02-30', '2026-11-22T10:00:00+01:00', '0000-01-01'),
  fc.constantFrom('+275760-09-13T00:00:00Z', '2026-11-22T25:00:00Z', '20261122', 'today')
)
const word = fc.constantFrom(
  ...['captured', 'pendingAuthorization', 'done', 'active', 'pending', 'Active', 'Closed', 'visa'],
  ...['GBP', 'JPY', 'selfcare', 'ivr', 'HostedPage', 'RegisteredCard', 'BillingAccount', 'credit']
)

const attributes = [
  ...['id', 'href', 'name', 'status', 'state', 'statusDate', 'correlatorId', 'account.id', '@type'],
  ...['totalAmount.unit', 'totalAmount.value', 'paymentDate', 'refundDate', 'authorizationCode'],
  ...['channel.id', 'paymentMethod.id', 'paymentMethod.@type', 'payment.id', 'paymentStatus'],
  ...['lastModified', 'brand', 'cardType', 'lastFourDigits', 'expirationDate'],
  ...['accountBalance.balanceType', 'relatedParty.id', 'account', 'totalAmount']
]

/** `known`: what may be met. */
export function fuzzedRequests(known: Known): fc.Arbitrary<FuzzedRequest> {
  const knownId = fc.constantFrom(...Object.values(known).flat())
  const value = fc.oneof(knownId, word, anyNumber.map(String), anyMoment, anyText)
  const query = queryOf(value)
  const [payments, refunds, hub, methods, accounts] = collections
  const often = [payments, payments, payments, refunds, refunds, methods, methods, accounts]
  return fc.constantFrom(...often, ...often, hub).chain((collection) => {
    const ownId = fc.constantFrom(...idsOf(collection, known))
    const id = fc.oneof({ weight: 5, arbitrary: ownId }, knownId, anyText)
    const one = fc.record({ method: readers, at: id.map((text) => `/${encode(text)}`) })
    const list = fc.record({ method: readers, at: fc.constant('') })
    const body = bodyOf(collection, known)
    const post = fc.record({ method: fc.constant('POST'), at: fc.constant(''), body })
    const odd = fc.record({
      method: fc.constantFrom('PATCH', 'PUT', 'DELETE', 'POST', 'GET', 'QUERY', 'OPTIONS'),
      at: fc.tuple(id.map(encode), tail).map(([text, rest]) => `/${text}${rest}`),
      body: fc.option(body, { nil: undefined })
    })
    const wanted: fc.Arbitrary<{ method: string; at: string; body?: string | undefined }> =
      fc.oneof(
        { weight: 4, arbitrary: one },
        { weight: 6, arbitrary: list },
        { weight: 6, arbitrary: post },
        { weight: 2, arbitrary: odd }
      )
    return fc
      .record({ wanted, query, headers: headersOf(), isAsked: fc.nat(4) })
      .map(({ wanted: { method, at, body: text }, query: asked, headers, isAsked }) => {
        // What is posted is seldom asked anything.
        const isQueried = asked !== '' && (method !== 'POST' || isAsked === 0)
        const path = `${collection}${at}${isQueried ? `?${asked}` : ''}`
        return {
          method,
          path: path.slice(0, longest),
          headers: {
            ...(text !== undefined && { 'content-type': 'application/json' }),
            ...headers
          },
          body: text ?? null
        }
      })
  })
}

const readers = fc.constantFrom('GET', 'GET', 'GET', 'GET', 'GET', 'HEAD', 'DELETE')
const tail = fc.constantFrom('', '', '/', '//', '/x', '.json', ';v=1', '%', '%00', '%ff', '#')

function idsOf(collection: Collection, known: Known): string[] {
  if (collection.endsWith('/payment')) return known.payments
  if (collection.endsWith('/refund')) return known.refunds
  return collection.endsWith('/paymentMethod') ? known.cards : known.accounts
}

const encode = (text: string) => encodeURIComponent(text.toWellFormed())

function queryOf(value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const attribute = fc.constantFrom(...attributes)
  const filter = fc
    .tuple(
      attribute,
      fc.constantFrom('', '', '.eq', '.ne', '.gt', '.gte', '.lt', '.lte', '.regex', '.gt.lt'),
      fc.constantFrom('=', '=', '=', '>', '<', '>=', '<=', '!=', '==', '%3E%3D', ''),
      fc.array(value, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(',', ';', '%2C')
    )
    .map(
      ([name, suffix, sign, values, comma]) =>
        `${name}${suffix}${sign}${values.map(encode).join(comma)}`
    )
  const page = fc
    .tuple(fc.constantFrom('offset', 'limit'), fc.oneof(fc.nat(30).map(String), value))
    .map(([name, count]) => `${name}=${encode(count)}`)
  const fields = fc
    .array(fc.oneof(attribute, anyText), { maxLength: 5 })
    .map((names) => `fields=${names.map(encode).join()}`)
  const odd = fc.oneof(
    fc.tuple(anyText, anyText).map(([name, text]) => `${encode(name)}=${encode(text)}`),
    fc.constantFrom('%', '%zz=1', '&&&', '=', 'id[]=1', 'id=%ED%A0%80', 'id=%00', 'a=b=c'),
    fc.constant('id=1&'.repeat(1200))
  )
  const part = fc.oneof(
    { weight: 5, arbitrary: filter },
    { weight: 3, arbitrary: page },
    { weight: 2, arbitrary: fields },
    { weight: 1, arbitrary: odd }
  )
  return fc.oneof(fc.constant([]), fc.array(part, { maxLength: 4 })).map((parts) => parts.join('&'))
}

/** A key is put into `authorization` by whoever sends it, where this says nothing of it. */
function headersOf(): fc.Arbitrary<Record<string, string>> {
  const pair = (name: string, ...values: string[]) =>
    fc.constantFrom(...values).map((text) => [name, text] as const)
  return fc
    .oneof(
      { weight: 5, arbitrary: fc.constant([]) },
      fc.array(
        fc.oneof(
          pair('authorization', '', 'Bearer', 'Bearer x', 'Basic eDp5', 'Bearer \xe9', 'limited'),
          pair('authorization', 'limited'),
          pair('accept', 'text/csv', 'image/png', '*/*;q=0', ';;;', 'application/json;q=0.1'),
          pair('content-type', 'text/plain', 'application/json; charset=latin1', 'x', ''),
          pair('content-type', 'application/json;charset=utf-8', 'application/merge-patch+json'),
          pair('content-encoding', 'gzip', 'identity'),
          pair('idempotency-key', 'one', 'two', 'with space', 'x'.repeat(256), '\xe9', ''),
          pair('if-match', '*', '"x"', ','),
          pair('if-none-match', '*', '"x"', 'W/"x"'),
          pair('prefer', 'wait=1', 'wait=x', 'respond-async'),
          pair('x-request-id', 'a', 'a b', '<x>'),
          pair('accept-language', 'cy', '*'),
          pair('expect', '100-continue', '200-ok')
        ),
        { maxLength: 3 }
      )
    )
    .map((pairs) => Object.fromEntries(pairs))
}

function bodyOf(collection: Collection, known: Known): fc.Arbitrary<string> {
  const account = fc.constantFrom(...known.accounts).map((id) => ({ id }))
  const money = fc.record({
    unit: fc.constantFrom('GBP', 'GBP', 'GBP', 'GBP', 'GBP', 'JPY', 'KWD'),
    value: fc.oneof(
      fc.integer({ min: 1, max: 5000 }).map((pence) => pence / 100),
      fc.double()
    )
  })
  const correlator = fc.record(
    { correlatorId: fc.oneof(fc.uuid(), fc.constantFrom('a', 'b', 'c')) },
    { requiredKeys: [] }
  )
  const methods = fc.constantFrom<object>(
    { '@type': 'HostedPage' },
    { '@type': 'PaymentLink' },
    { '@type': 'Voucher', id: 'V-1' },
    { '@type': 'TokenizedCard', brand: 'visa', lastFourDigits: '1111', expirationDate: '2030-03' },
    ...known.cards.map((id) => ({ id, '@referredType': 'RegisteredCard' }))
  )
  const characteristic = fc.constantFrom(
    [],
    ...Array<object[]>(6).fill([{ name: 'returnUrl', value: 'https://selfcare.example/paid' }]),
    [{ name: 'returnUrl', value: 7 }],
    [{ name: 'returnUrl', value: 'https://selfcare.example/\0' }],
    [
      { name: 'operatorId', value: 'a' },
      { name: 'operatorReason', value: '\0' }
    ],
    [
      { name: 'capture', value: 'manual' },
      { name: 'returnUrl', value: 'https://x.example' }
    ]
  )
  const payment = fc
    .tuple(
      fc.record(
        {
          account,
          paymentMethod: methods,
          totalAmount: money,
          characteristic,
          ...{ authorizationCode: fc.constant('064913'), status: fc.constant('denied') }
        },
        { requiredKeys: ['account', 'paymentMethod', 'totalAmount', 'characteristic'] }
      ),
      correlator,
      fc.oneof(
        { weight: 4, arbitrary: fc.constant({}) },
        fc.record({ channel: fc.constantFrom({ id: 'ivr' }, { id: 'agent' }, { id: 'kiosk' }) }),
        fc.record({ paymentDate: anyMoment })
      )
    )
    .map((parts) => Object.assign({}, ...parts))
  const refund = fc
    .tuple(
      fc.record({
        payment: fc.constantFrom(...known.payments).map((id) => ({ id })),
        account,
        paymentMethod: methods,
        totalAmount: money
      }),
      correlator
    )
    .map(([one, other]) => ({ ...one, ...other }))
  const method = fc.record({
    name: fc.oneof({ weight: 4, arbitrary: fc.constant('My card') }, anyText),
    account: account.map((one) => [one]),
    characteristic,
    '@type': fc.constantFrom('RegisteredCard', 'tokenizedCard', 'bankCard', 'cash')
  })
  const hub = fc.record({
    callback: fc.constantFrom('http://127.0.0.1:9/hub', 'https://hub.example/x', 'x', 'file:///'),
    query: fc.oneof(fc.constant('eventType=PaymentCreateEvent'), anyText)
  })
  const valid: Record<Collection, fc.Arbitrary<object>> = {
    [collections[0]]: payment,
    [collections[1]]: refund,
    [collections[2]]: hub,
    [collections[3]]: method,
    [collections[4]]: fc.record({ name: anyText })
  }
  const broken = fc.oneof(
    fc.json(),
    fc.constantFrom('', '{', 'null', '[]', '"x"', '{"a":1,"a":2}', '{"__proto__":{"x":1}}', '\x00'),
    fc.constant(`${'['.repeat(500)}${']'.repeat(500)}`),
    fc.constant(`{"name":"${'x'.repeat(70_000)}"}`)
  )
  return fc.oneof(
    { weight: 5, arbitrary: valid[collection].map((body) => JSON.stringify(body)) },
    { weight: 3, arbitrary: mutated(valid[collection]) },
    { weight: 1, arbitrary: broken }
  )
}

/** A member somewhere is taken away, or is something else; or a number is another text. */
function mutated(valid: fc.Arbitrary<object>): fc.Arbitrary<string> {
  const strange = fc.oneof(fc.jsonValue({ maxDepth: 2 }), anyText, fc.constant(undefined))
  const numbers = fc.constantFrom('1e400', '11.6000000000000000001', '-0', '0.005', '1E2', '-5')
  return fc
    .tuple(
      valid,
      fc.array(fc.tuple(fc.nat(), strange), { minLength: 1, maxLength: 3 }),
      fc.boolean()
    )
    .chain(([body, changes, isOfText]) => {
      const changed = structuredClone(body)
      for (const [at, value] of changes) {
        const places = placesIn(changed)
        const place = places[at % places.length]
        if (place) place.node[place.name] = value
      }
      const text = JSON.stringify(changed) ?? ''
      if (!isOfText) return fc.constant(text)
      return numbers.map((number) => text.replace(/"value":[-\d.e+]+/, `"value":${number}`))
    })
}

type Place = { node: Record<string, unknown>; name: string }

function placesIn(node: unknown): Place[] {
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([name, member]) => [
    { node: node as Record<string, unknown>, name },
    ...placesIn(member)
  ])
}
