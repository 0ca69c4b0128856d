import t from 'tap'
import { toExactNumber } from '../../src/http/exact-json.ts'
import { Problem } from '../../src/problem.ts'
import {
  passesFilters,
  readTmfFields,
  readTmfQuery,
  selectFields
} from '../../src/tmf/tmf-query.ts'

const filterable = {
  status: ['open', 'closed'],
  'account.id': 'text',
  paymentDate: 'date',
  'totalAmount.value': 'number'
} as const

const read = (text: string) =>
  readTmfQuery(Object.fromEntries(groupsOf(new URLSearchParams(text))), filterable)

/** A parameter that is repeated is a list, as the service's parser has it. */
function groupsOf(parameters: URLSearchParams): Array<[string, string | string[]]> {
  return [...new Set(parameters.keys())].map((name) => {
    const all = parameters.getAll(name)
    return [name, all.length === 1 ? (all[0] as string) : all]
  })
}

t.test('filters are read in every form that TMF630 has', async (t) => {
  const forms: ReadonlyArray<readonly [string, string, string, string[]]> = [
    ['status=open', 'status', 'eq', ['open']],
    ['status.eq=open', 'status', 'eq', ['open']],
    ['status.ne=open', 'status', 'ne', ['open']],
    ['status=open,closed', 'status', 'eq', ['open', 'closed']],
    ['status=open&status=closed', 'status', 'eq', ['open', 'closed']],
    ['status=open;closed', 'status', 'eq', ['open', 'closed']],
    ['status=open;status=closed', 'status', 'eq', ['open', 'closed']],
    ['account.id=7', 'account.id', 'eq', ['7']],
    ['account.id=7,8;', 'account.id', 'eq', ['7', '8', '7,8;']],
    ['paymentDate.gt=2026-11-22', 'paymentDate', 'gt', ['2026-11-22']],
    ['paymentDate.gte="2026-11-22"', 'paymentDate', 'gte', ['2026-11-22']],
    ['paymentDate%3E2026-11-22T10:00:00Z', 'paymentDate', 'gt', ['2026-11-22T10:00:00Z']],
    ['paymentDate%3E=2026-11-22', 'paymentDate', 'gte', ['2026-11-22']],
    ['paymentDate%3E%3D2026-11-22', 'paymentDate', 'gte', ['2026-11-22']],
    ['paymentDate%3C2026-11-22', 'paymentDate', 'lt', ['2026-11-22']],
    ['paymentDate%3C=2026-11-22', 'paymentDate', 'lte', ['2026-11-22']],
    ['status!=open', 'status', 'ne', ['open']],
    ['totalAmount.value.lt=11.6', 'totalAmount.value', 'lt', ['11.6']]
  ]
  for (const [text, attribute, operator, values] of forms) {
    t.same(read(text).filters, [{ attribute, operator, values }], text)
  }
})

t.test('pages and fields have their defaults', async (t) => {
  t.same(read(''), { fields: null, offset: 0, limit: 20, filters: [] })
  const { fields, offset, limit } = read('fields=status,account.id&offset=40&limit=100')
  t.same([...(fields ?? [])], ['status', 'account'])
  t.same([offset, limit], [40, 100])
})

t.test('all that is wrong with a query is said at once, with what is allowed', async (t) => {
  const text =
    'foo=1&offset=-1&limit=101&status=maybe&paymentDate=2026-02-30&totalAmount.value=x&' +
    'account.id.gt=5&status.gt=open&constructor=1'
  const problem = t.throws(() => read(text)) as unknown as Problem
  t.ok(problem instanceof Problem)
  t.equal(problem.code, 'request_invalid')
  const said = Object.fromEntries(problem.errors?.map((one) => [one.pointer, one.detail]) ?? [])
  t.match(said, {
    '/foo': 'there are status, account.id, paymentDate, totalAmount.value',
    '/offset': 'from 0 to 10000',
    '/limit': 'from 1 to 100',
    '/status': 'one of open, closed',
    '/paymentDate': 'RFC 3339',
    '/totalAmount.value': 'number',
    '/account.id.gt': 'only eq and ne',
    '/status.gt': 'only eq and ne',
    '/constructor': 'no filter'
  })
  t.throws(() => readTmfFields({ fields: 'id', offset: '1' }), { code: 'request_invalid' })
})

t.test('a selection has id, href and @type whatever it asks for', async (t) => {
  const one = { id: '1', href: '/1', name: 'n', status: 'open', '@type': 'Payment' }
  const selected = (fields: string) => selectFields(one, readTmfFields({ fields }))
  t.same(selected('status'), { id: '1', href: '/1', status: 'open', '@type': 'Payment' })
  t.same(selected('nothing'), { id: '1', href: '/1', '@type': 'Payment' })
  t.same(selectFields(one, readTmfFields({})), one)
})

t.test('amounts are compared by their digits', async (t) => {
  const passes = (amount: string, text: string) => {
    const one = { totalAmount: { value: toExactNumber(amount) } }
    return passesFilters(one, read(`totalAmount.value${text}`).filters)
  }
  t.notOk(passes('9999999.99', '=9999999.990000001'))
  t.ok(passes('9999999.99', '.lt=9999999.990000001'))
  t.ok(passes('90071992547409.93', '.gt=90071992547409.92'))
  t.notOk(passes('90071992547409.93', '=90071992547409.92'))
  t.ok(passes('-0.5', '.lt=-0.49'))
  t.ok(passes('11.6', '=11.600'))
})

t.test('short lists are filtered as they are', async (t) => {
  const one = {
    status: 'open',
    account: [{ id: '7' }, { id: '8' }],
    paymentDate: '2026-11-22T10:00:00.000Z',
    totalAmount: { value: 11.6 }
  }
  const passes = (text: string) => passesFilters(one, read(text).filters)
  for (const text of [
    'status=open',
    'status=closed,open',
    'status.ne=closed',
    'account.id=8',
    'paymentDate=2026-11-22',
    'paymentDate=2026-11-22T10:00:00Z',
    'paymentDate=2026-11-22T11:00:00%2B01:00',
    'paymentDate=2026-11-22T11:00:00+01:00',
    'paymentDate.lte=2026-11-22',
    'paymentDate.gt=2026-11-21',
    'totalAmount.value=11.60',
    'totalAmount.value.gt=11.59&status=open'
  ]) {
    t.ok(passes(text), text)
  }
  for (const text of [
    'status=closed',
    'status.ne=open',
    'account.id=9',
    'paymentDate.gt=2026-11-22',
    'paymentDate.lt=2026-11-22',
    'totalAmount.value.lt=11.6',
    'status=open&account.id=9'
  ]) {
    t.notOk(passes(text), text)
  }
})
