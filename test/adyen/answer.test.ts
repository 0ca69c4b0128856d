import httpClientException from '@adyen/api-library/lib/src/httpClient/httpClientException.js'
import t from 'tap'
import { AdyenNotAsked, AdyenOutcomeUnknown, readError } from '../../src/adyen/answer.ts'

const HttpClientException = httpClientException.default

type Answered = { errorCode?: string; headers?: Record<string, string | string[]>; body?: object }

/** An answer of Adyen that is no success, as the transport throws it. */
function answered(statusCode: number, { errorCode, headers, body }: Answered = {}) {
  return new HttpClientException({
    message: `Adyen answered HTTP ${statusCode}`,
    statusCode,
    responseHeaders: headers ?? {},
    responseBody: '',
    ...(errorCode !== undefined && { errorCode }),
    ...(body !== undefined && { apiError: body as never })
  })
}

const transient = { headers: { 'transient-error': 'true' } }

/** What was seen, and how it is read for a call that moves money and for one that is harmless. */
const readings: ReadonlyArray<[seen: string, error: unknown, money: string, harmless: string]> = [
  ['no answer', new AdyenOutcomeUnknown('reset'), 'same_key', 'same_key'],
  ['a redirect', answered(308), 'same_key', 'same_key'],
  ['bad request', answered(400, { errorCode: '702' }), 'rejected', 'rejected'],
  ['wrong key', answered(401, { errorCode: '000' }), 'same_key', 'same_key'],
  ['not allowed', answered(403, { errorCode: '010' }), 'same_key', 'same_key'],
  ['not asked', new AdyenNotAsked('not answering'), 'same_key', 'same_key'],
  [
    'not allowed, and stored',
    answered(403, { errorCode: '901', body: { pspReference: 'PSP' } }),
    'same_key',
    'new_key'
  ],
  ['not found', answered(404), 'rejected', 'rejected'],
  ['timed out on the way', answered(408), 'same_key', 'same_key'],
  ['a conflict', answered(409), 'same_key', 'same_key'],
  ['a conflict of keys', answered(409, { errorCode: '704' }), 'same_key', 'same_key'],
  ['invalid', answered(422, { errorCode: '101' }), 'rejected', 'rejected'],
  ['a running call', answered(422, { errorCode: '704' }), 'same_key', 'same_key'],
  ['a code with letters', answered(422, { errorCode: '14_030' }), 'rejected', 'rejected'],
  ['too early', answered(425), 'same_key', 'same_key'],
  ['too many', answered(429), 'same_key', 'same_key'],
  ['500, transient', answered(500, transient), 'same_key', 'same_key'],
  ['503, transient', answered(503, transient), 'same_key', 'same_key'],
  ['500, stored', answered(500, { errorCode: '905' }), 'same_key', 'new_key'],
  ['500 with 704', answered(500, { errorCode: '704' }), 'same_key', 'same_key'],
  [
    'not transient',
    answered(500, { headers: { 'transient-error': 'false' } }),
    'same_key',
    'new_key'
  ],
  ['502 of a gateway', answered(502), 'same_key', 'new_key'],
  ['503, stored', answered(503, { errorCode: '703' }), 'same_key', 'new_key']
]

function summaryOf(error: unknown, kind: 'harmless' | 'moves_money'): string {
  const answer = readError(error, kind)
  return answer.outcome === 'rejected' ? 'rejected' : answer.retry
}

for (const [seen, error, money, harmless] of readings) {
  t.test(`${seen}: ${money} where money moves, ${harmless} where it is harmless`, async (t) => {
    t.equal(summaryOf(error, 'moves_money'), money)
    t.equal(summaryOf(error, 'harmless'), harmless)
  })
}

t.test('a call that moves money never gets a new key', async (t) => {
  for (let status = 300; status <= 599; status++) {
    for (const more of [{}, transient, { errorCode: '704' }, { errorCode: '905' }]) {
      const { outcome, ...rest } = readError(answered(status, more), 'moves_money')
      if (outcome === 'unknown') t.match(rest, { retry: 'same_key' })
    }
  }
})

t.test('only a 4xx is a rejection', async (t) => {
  for (let status = 300; status <= 599; status++) {
    if (readError(answered(status), 'harmless').outcome !== 'rejected') continue
    t.ok(status >= 400 && status < 500, String(status))
  }
})

t.test(
  'the reason is ours and names status and code; what Adyen said is for the log',
  async (t) => {
    const classic = { status: 422, errorCode: '101', message: 'Invalid card number' }
    t.match(readError(answered(422, { errorCode: '101', body: classic }), 'harmless'), {
      reason: 'The payment provider refused the request (422, its code 101).',
      said: 'Invalid card number'
    })
    const problem = { title: 'Invalid', detail: 'The field is not valid' }
    t.match(readError(answered(422, { body: problem }), 'harmless'), {
      reason: 'The payment provider refused the request (422).',
      said: 'The field is not valid'
    })
  }
)

t.test('B4: a key that is refused is our fault, and no word of Adyen is in it', async (t) => {
  for (const status of [401, 403]) {
    const body = { message: 'HTTP Status Response - Unauthorized' }
    const answer = readError(answered(status, { errorCode: '000', body }), 'moves_money')
    t.match(answer, { outcome: 'unknown', trouble: 'key_refused', said: body.message })
    t.notMatch(answer.reason, /40[13]|Unauthorized|Adyen/)
  }
})

t.test('B7: each says what happened', async (t) => {
  const reasonOf = (error: unknown) => readError(error, 'harmless').reason
  t.match(reasonOf(new AdyenOutcomeUnknown('no answer within 8000 ms')), /did not answer in time/)
  t.match(reasonOf(answered(500, { errorCode: '905' })), /an error of its own \(500\)/)
  t.match(reasonOf(answered(503, transient)), /an error of its own \(503\)/)
  const unread = new AdyenOutcomeUnknown('HTTP 200 without JSON', { isAnswered: true })
  t.match(reasonOf(unread), /can’t be read/)
  t.match(reasonOf(new AdyenNotAsked('not answering')), /was not asked/)
  t.match(reasonOf(answered(409)), /still at an earlier request/)
})

t.test('B7: no card number of what Adyen said is kept', async (t) => {
  const number = '4111 1111 1111 1111'
  const errors = [
    answered(422, { errorCode: number, body: { message: `card ${number}` } }),
    answered(500, { body: { message: `card ${number}` } }),
    answered(401, { body: { detail: `card ${number}` } }),
    answered(429, { body: { title: `${'x'.repeat(990)} ${number}` } }),
    new AdyenOutcomeUnknown(`an answer about ${number}`)
  ]
  for (const error of errors) {
    const answer = JSON.stringify(readError(error, 'moves_money'))
    t.notMatch(answer, /4111/)
  }
})

t.test('a fault of our own is no answer of Adyen', async (t) => {
  t.throws(() => readError(new TypeError('ours'), 'harmless'), new TypeError('ours'))
})
