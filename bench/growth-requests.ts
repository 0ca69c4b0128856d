/** The requests of the growth bench: every GET of the OpenAPI document, with parameters. */
import { readdir, readFile } from 'node:fs/promises'
import type pg from 'pg'
import { parse } from 'yaml'
import { toCursor } from '../src/http/cursor.ts'
import type { keys } from './growth-year.ts'

export type Request = {
  /** `list` and `read` cost the same whatever was before; a `report` goes by what it is about. */
  kind: 'list' | 'read' | 'report'
  name: string
  path: string
  client?: keyof typeof keys
  accept?: string
}

/** Ids that stand in the database, and moments of its year. */
export type Names = Awaited<ReturnType<typeof readNames>>

export async function readNames(db: pg.Client) {
  const one = async (text: string) => {
    const { rows } = await db.query<{ one: string }>(text)
    if (rows[0]?.one === undefined) throw new Error(`there is none: ${text}`)
    return String(rows[0].one)
  }
  /** Of a table whose ids sort by time, the one nine tenths back. */
  const late = async (table: string) => {
    const digits = 'substr(growth_id(now_ms - 28382400000, 0), 1)'
    const prefix = { payment: 'pay', notification: 'ntf', discrepancy: 'dis' }[table]
    return await one(`select id as one from ${table}
      where id > (select '${prefix}_' || ${digits} from growth_size) order by id limit 1`)
  }
  const captured = await one(`select p.id as one from payment p join operation m
    on m.payment_id = p.id and m.kind = 'refund' order by p.id desc limit 1`)
  const now = Number(await one('select now_ms as one from growth_size'))
  const feedEnd = Number(await one('select max(position) as one from event_feed'))
  const postingEnd = Number(await one('select max(position) as one from billing_posting'))
  return {
    captured,
    latePayment: await late('payment'),
    lateNotification: await late('notification'),
    lateDiscrepancy: await late('discrepancy'),
    account: await one(`select account_id as one from payment where id = '${captured}'`),
    authorisation: await one(
      `select authorisation_reference as one from payment where id = '${captured}'`
    ),
    rareCard: await one("select lpad('4321', 4) as one"),
    refund: await one("select id as one from operation where kind = 'refund' limit 1"),
    delivery: await one('select id as one from webhook_delivery order by id desc limit 1'),
    lateDelivery: await one(`select id as one from webhook_delivery
      order by id offset (select count(*) / 10 from webhook_delivery) limit 1`),
    report: await one('select id as one from settlement_report order by id desc limit 1'),
    discrepancy: await one('select id as one from discrepancy order by id desc limit 1'),
    posting: await one('select id as one from billing_posting order by position limit 1'),
    file: await one('select id as one from billing_file order by id limit 1'),
    feedEnd,
    postingEnd,
    /** `2026-11-28`; so many days ago. */
    dayAgo: (days: number) => new Date(now - days * 86_400_000).toISOString().slice(0, 10)
  }
}

type Asked = Omit<Request, 'name' | 'path'> & { query?: string; id?: string }

/** By path of the document. */
const asked: Readonly<Record<string, (names: Names) => Asked[]>> = {
  '/health/live': () => [{ kind: 'read' }],
  '/health/ready': () => [{ kind: 'read' }],
  '/.well-known/oauth-protected-resource': () => [],
  '/v1/payments': (names) => paymentSearches(names),
  '/v1/payments/{id}': ({ captured }) => [{ kind: 'read', id: captured }],
  '/v1/payments/{id}/events': ({ captured }) => [{ kind: 'list', id: captured }],
  '/v1/payments/{id}/receipt': ({ captured }) => [{ kind: 'read', id: captured }],
  '/v1/payments/{id}/captures': ({ captured }) => [{ kind: 'list', id: captured }],
  '/v1/payments/{id}/refunds': ({ captured }) => [{ kind: 'list', id: captured }],
  '/v1/payments/{id}/disputes': ({ captured }) => [{ kind: 'list', id: captured }],
  '/v1/refunds/{id}': ({ refund }) => [{ kind: 'read', id: refund }],
  '/v1/disputes': ({ account, dayAgo }) => [
    { kind: 'list' },
    ...['status=open', 'status=lost', `accountId=${account}`].map(
      (query): Asked => ({ kind: 'list', query })
    ),
    { kind: 'list', query: `defendBefore=${dayAgo(-7)}T00:00:00Z` },
    { kind: 'list', query: `defendBefore=${dayAgo(-7)}T00:00:00Z&status=open` },
    { kind: 'list', client: 'third' }
  ],
  '/v1/events': ({ feedEnd }) => [
    { kind: 'list' },
    { kind: 'list', query: `after=${toCursor(String(Math.floor(feedEnd * 0.9)))}` },
    { kind: 'list', query: `after=${toCursor(String(feedEnd))}` },
    { kind: 'list', client: 'third' },
    { kind: 'list', client: 'third', query: `after=${toCursor(String(feedEnd))}` }
  ],
  '/v1/webhook-endpoints': () => [{ kind: 'list' }],
  '/v1/webhook-endpoints/{id}': () => [{ kind: 'read', id: 'whe_1' }],
  '/v1/webhook-endpoints/{id}/deliveries': ({ lateDelivery }) => [
    { kind: 'list', id: 'whe_1' },
    { kind: 'list', id: 'whe_1', query: `cursor=${toCursor(lateDelivery)}` },
    ...['pending', 'delivered', 'failed'].map(
      (status): Asked => ({ kind: 'list', id: 'whe_1', query: `status=${status}` })
    )
  ],
  '/v1/deliveries/{id}': ({ delivery }) => [{ kind: 'read', id: delivery }],
  '/v1/accounts/{accountId}': ({ account }) => [{ kind: 'read', id: account }],
  '/v1/accounts/{accountId}/charges': ({ account }) => [
    { kind: 'list', id: account },
    { kind: 'list', id: account, query: 'status=open' },
    { kind: 'list', id: account, query: 'status=paid' }
  ],
  '/v1/accounts/{accountId}/entries': ({ account }) => [
    { kind: 'list', id: account },
    { kind: 'list', id: account, client: 'third' }
  ],
  '/v1/accounts/{accountId}/adjustments': ({ account }) => [{ kind: 'list', id: account }],
  '/v1/accounts/{accountId}/cards': ({ account }) => [{ kind: 'list', id: account }],
  '/v1/accounts/{accountId}/card-registrations/{registrationId}': () => [],
  '/v1/notifications': ({ lateNotification, captured }) => [
    { kind: 'list' },
    { kind: 'list', query: `cursor=${toCursor(lateNotification)}` },
    ...['received', 'applied', 'ignored', 'waiting', 'parked', 'foreign'].map(
      (status): Asked => ({ kind: 'list', query: `status=${status}` })
    ),
    { kind: 'list', query: 'eventCode=AUTHORISATION' },
    { kind: 'list', query: 'eventCode=ODD' },
    { kind: 'list', query: 'eventCode=NEVER' },
    { kind: 'list', query: 'eventCode=AUTHORISATION&status=parked' },
    { kind: 'list', query: 'eventCode=ODD&status=applied' },
    { kind: 'list', query: `reference=${captured}` }
  ],
  '/v1/settlement-reports': () => [
    { kind: 'list' },
    { kind: 'list', query: 'status=done' },
    { kind: 'list', query: 'status=refused' }
  ],
  '/v1/settlement-reports/{id}': ({ report }) => [{ kind: 'read', id: report }],
  '/v1/discrepancies': (names) => [
    { kind: 'list' },
    { kind: 'list', query: `cursor=${toCursor(names.lateDiscrepancy)}` },
    ...[
      'status=open',
      'status=resolved',
      'kind=possible_duplicate',
      'kind=fraud_reported',
      'kind=billing_rejected',
      'kind=fraud_reported&status=open',
      'kind=possible_duplicate&status=open',
      `paymentId=${names.captured}`,
      `createdFrom=${names.dayAgo(200)}T00:00:00Z&createdTo=${names.dayAgo(199)}T00:00:00Z`,
      `createdTo=${names.dayAgo(360)}T00:00:00Z&status=open`
    ].map((query): Asked => ({ kind: 'list', query }))
  ],
  '/v1/discrepancies/{id}': ({ discrepancy }) => [{ kind: 'read', id: discrepancy }],
  '/v1/reconciliation/summary': ({ dayAgo }) => [
    { kind: 'report' },
    { kind: 'report', query: `date=${dayAgo(1)}` },
    { kind: 'report', query: `date=${dayAgo(2)}` },
    { kind: 'report', query: `date=${dayAgo(200)}` }
  ],
  '/v1/reconciliation/three-way': ({ dayAgo }) => [
    { kind: 'report' },
    { kind: 'report', query: `from=${dayAgo(101)}T00:00:00Z&to=${dayAgo(100)}T00:00:00Z` },
    { kind: 'report', query: `from=${dayAgo(131)}T00:00:00Z&to=${dayAgo(100)}T00:00:00Z` },
    { kind: 'report', query: `from=${dayAgo(30)}T00:00:00Z` }
  ],
  '/v1/postings': ({ postingEnd }) => [
    { kind: 'list' },
    { kind: 'list', query: `after=${toCursor(String(Math.floor(postingEnd * 0.9)))}` },
    { kind: 'list', query: `after=${toCursor(String(postingEnd))}` },
    { kind: 'list', query: 'status=open' },
    { kind: 'list', query: 'status=rejected' },
    { kind: 'list', query: 'status=posted' },
    {
      kind: 'list',
      query: `status=open&after=${toCursor(String(Math.floor(postingEnd * 0.1)))}`
    }
  ],
  '/v1/postings/{id}': ({ posting }) => [{ kind: 'read', id: posting }],
  '/v1/billing-files': () => [{ kind: 'list' }],
  '/v1/billing-files/{id}': ({ file }) => [{ kind: 'read', id: file }],
  '/v1/billing-files/{id}/content': ({ file }) => [{ kind: 'read', id: file, accept: '*/*' }],
  '/tmf-api/paymentManagement/v4/payment': (names) => [
    ...tmfSearches(names),
    { kind: 'list', client: 'third' },
    { kind: 'list', client: 'third', query: 'totalAmount.unit=JPY' }
  ],
  '/tmf-api/paymentManagement/v4/payment/{id}': ({ captured }) => [{ kind: 'read', id: captured }],
  '/tmf-api/paymentManagement/v4/refund': ({ captured, account, dayAgo }) =>
    [
      '',
      `payment.id=${captured}`,
      `account.id=${account}`,
      'status=done',
      `status=denied&refundDate.gte=${dayAgo(2)}`,
      `refundDate.gte=${dayAgo(2)}T00:00:00Z`,
      `refundDate.lt=${dayAgo(360)}T00:00:00Z`,
      `statusDate.gte=${dayAgo(20)}T00:00:00Z&refundDate.gte=${dayAgo(30)}`,
      'correlatorId=never',
      `name.ne=never&account.id=${account}`
    ].map((query): Asked => ({ kind: 'list', ...(query && { query }) })),
  '/tmf-api/paymentManagement/v4/refund/{id}': ({ refund }) => [{ kind: 'read', id: refund }],
  '/tmf-api/paymentManagement/v4/hub/{id}': () => [],
  '/tmf-api/paymentMethod/v4/paymentMethod': ({ account }) =>
    ['', `account.id=${account}`, 'status=active', 'brand=visa', 'id=crd_1'].map(
      (query): Asked => ({ kind: 'list', ...(query && { query }) })
    ),
  '/tmf-api/paymentMethod/v4/paymentMethod/{id}': () => [],
  '/tmf-api/accountManagement/v4/billingAccount': ({ account }) =>
    ['', `id=${account}`, 'state=Active', `paymentStatus=due&id=${account}`].map(
      (query): Asked => ({ kind: 'list', ...(query && { query }) })
    ),
  '/tmf-api/accountManagement/v4/billingAccount/{id}': ({ account }) => [
    { kind: 'read', id: account }
  ]
}

function tmfSearches({ account, dayAgo }: Names): Asked[] {
  return [
    '',
    'offset=1000&limit=20',
    'status=captured',
    'status=denied',
    'correlatorId=never',
    `account.id=${account}`,
    'channel.id=agent',
    'authorizationCode=never',
    'totalAmount.unit=JPY',
    'totalAmount.unit=EUR&totalAmount.value.gte=10000',
    'totalAmount.value.gte=10000',
    `paymentDate.gte=${dayAgo(2)}T00:00:00Z`,
    `paymentDate.lt=${dayAgo(360)}T00:00:00Z`,
    `paymentDate.gte=${dayAgo(230)}&paymentDate.lt=${dayAgo(200)}`,
    `paymentDate=${dayAgo(200)}&status=captured,denied`,
    `statusDate.gte=${dayAgo(2)}T00:00:00Z`,
    'name.ne=never',
    'totalAmount.value=5',
    'paymentMethod.id=crd_1',
    'status.ne=captured',
    'channel.id.ne=selfcare'
  ].map((query): Asked => ({ kind: 'list', ...(query && { query }) }))
}

/** Filters that many payments pass, that few do, that none does; and several at once. */
function paymentSearches({ latePayment, account, authorisation, dayAgo }: Names): Asked[] {
  const month = `createdFrom=${dayAgo(230)}T00:00:00Z&createdTo=${dayAgo(200)}T00:00:00Z`
  const queries = [
    '',
    `cursor=${toCursor(latePayment)}`,
    ...['pending', 'authorised', 'captured', 'refused', 'failed', 'expired,failed'].map(
      (status) => `status=${status}`
    ),
    `status=captured&cursor=${toCursor(latePayment)}`,
    'channel=selfcare',
    'channel=service',
    'channel=service,agent',
    'method=hostedPage',
    'method=registeredCard',
    'method=recorded',
    'channel=service&method=registeredCard',
    'status=failed&channel=service',
    'status=captured&channel=service',
    'reference=basket-777',
    'reference=never',
    `providerReference=${authorisation}`,
    'providerReference=never',
    'currency=EUR',
    'currency=JPY',
    'amountFrom=77777777&amountTo=77777777',
    'amountFrom=500&amountTo=500',
    'amountFrom=100&amountTo=20000',
    'amountFrom=1000000',
    'amountFrom=10000&amountTo=10100&status=refused',
    'currency=EUR&amountFrom=1000000',
    'lastFour=1234',
    'lastFour=9999',
    'cardBrand=visa',
    'cardBrand=diners',
    'cardBrand=never',
    'cardBrand=visa&status=refused&channel=agent',
    'cardBrand=diners&status=refused&channel=agent',
    'operator=agent-7',
    'operator=agent-rare',
    'operator=nobody',
    'operator=agent-rare&status=refused',
    'metadata.source=web',
    'metadata.campaign=c1',
    'metadata.campaign=never',
    'metadata.source=web&status=failed',
    month,
    `${month}&status=failed`,
    `${month}&cardBrand=diners`,
    `${month}&cardBrand=never`,
    `createdTo=${dayAgo(360)}T00:00:00Z`,
    `accountId=${account}`,
    `accountId=${account}&status=failed`
  ]
  const all = queries.map((query): Asked => ({ kind: 'list', ...(query && { query }) }))
  return [
    ...all,
    { kind: 'list', client: 'third' },
    { kind: 'list', client: 'third', query: `cursor=${toCursor(latePayment)}` },
    { kind: 'list', client: 'third', query: 'status=failed' },
    { kind: 'list', client: 'third', query: 'channel=service' },
    { kind: 'list', client: 'third', query: 'currency=JPY' },
    { kind: 'list', client: 'third', query: 'lastFour=1234' },
    { kind: 'list', client: 'third', query: 'cardBrand=never' }
  ]
}

const ids =
  /(after|cursor|accountId|paymentId|account\.id|payment\.id|id|providerReference|reference)=[^&]*[A-Z_0-9][^&]*/g

/** Throws where a document has a route that nothing is asked of. */
export async function requestsOf(names: Names): Promise<Request[]> {
  const folder = new URL('../openapi/', import.meta.url)
  const files = await Promise.all(
    (await readdir(folder)).map((file) => readFile(new URL(file, folder), 'utf8'))
  )
  const documents = files.map((file): { paths: Record<string, { get?: object }> } => parse(file))
  const all = documents.flatMap(({ paths }) => Object.entries(paths))
  return all.flatMap(([path, { get }]) => {
    if (get === undefined) return []
    const all = asked[path]
    if (all === undefined) throw new Error(`${path} is not asked for: see growth-requests.ts`)
    return all(names).map(({ query, id = '', ...rest }): Request => {
      const suffix = query === undefined ? '' : `?${query}`
      const who = rest.client === 'third' ? ' (third party)' : ''
      // The same of every size.
      const name = `${path}${suffix.replaceAll(ids, '$1=…')}${who}`
      return { ...rest, name, path: `${path.replace(/\{\w+\}/, id)}${suffix}` }
    })
  })
}
