import fc from 'fast-check'
import t from 'tap'
import type { NotificationItem, StoredNotification } from '../../src/adyen/notification.ts'
import { toProviderEvent } from '../../src/adyen/provider-event.ts'
import { type DisputeEvent, disputeEvents } from '../../src/provider.ts'

function newItem(changes: Partial<NotificationItem> = {}): NotificationItem {
  return {
    pspReference: 'PSP0000000000001',
    merchantAccountCode: 'TestMerchant',
    merchantReference: 'pay_0123456789abcdef',
    amount: { currency: 'GBP', value: 2500 },
    eventCode: 'AUTHORISATION',
    success: 'true',
    eventDate: '2026-03-02T10:15:00+01:00',
    ...changes
  }
}

type Changes = Omit<Partial<StoredNotification>, 'item'> &
  Partial<Pick<NotificationItem, 'reason' | 'additionalData'>> & { item?: NotificationItem }

function stored(changes: Changes): StoredNotification {
  const { reason, additionalData, ...signed } = changes
  const item = newItem({
    ...(reason !== undefined && { reason }),
    ...(additionalData !== undefined && { additionalData })
  })
  return {
    eventCode: String(item.eventCode),
    success: true,
    pspReference: String(item.pspReference),
    originalReference: null,
    merchantReference: String(item.merchantReference),
    amount: { currency: 'GBP', value: 2500 },
    item,
    ...signed
  }
}

const amount = { currency: 'GBP', value: 2500 }
const modification = { pspReference: 'MOD', originalReference: 'PAY' }
const failed = { ...modification, success: false, reason: 'Not possible' }
const by = { providerReference: 'MOD', reference: 'pay_0123456789abcdef' }
const about = { authorisationReference: 'PAY', by }
const reason = 'Not possible'
const noOriginal = { pspReference: 'PAY' }
const at = new Date('2026-03-02T09:15:00Z')
const byPayment = { ...by, providerReference: 'PAY' }

/** What each event code means, for what it says of `success`: exactly. */
const meanings: ReadonlyArray<[code: string, changes: Changes, meaning: object | string]> = [
  [
    'AUTHORISATION',
    noOriginal,
    { type: 'authorised', authorisationReference: 'PAY', amount, card: null, authentication: null }
  ],
  [
    'AUTHORISATION',
    { pspReference: 'PAY', success: false, reason: 'Expired Card' },
    {
      type: 'attemptRefused',
      authorisationReference: 'PAY',
      amount,
      failure: { code: 'card_expired', message: 'Expired Card', retryable: false }
    }
  ],
  ['OFFER_CLOSED', {}, { type: 'pageClosed', by: 'time' }],
  ['EXPIRE', noOriginal, { type: 'authorisationExpired', authorisationReference: 'PAY' }],
  ['EXPIRE', modification, { type: 'authorisationExpired', authorisationReference: 'PAY' }],
  ['CAPTURE', modification, { type: 'captured', ...about, amount, again: false }],
  [
    'CAPTURE',
    { ...modification, reason: 'Transaction Recaptured' },
    { type: 'captured', ...about, amount, again: true }
  ],
  [
    'CAPTURE',
    { ...modification, reason: 'Transaction Auto-recaptured' },
    { type: 'captured', ...about, amount, again: true }
  ],
  ['CAPTURE', failed, { type: 'captureRefused', by, reason }],
  [
    'CAPTURE_FAILED',
    { ...failed, success: true },
    { type: 'captureFailed', ...about, amount, reason }
  ],
  ['CAPTURE_FAILED', failed, { type: 'captureFailed', ...about, amount, reason }],
  ['CANCELLATION', modification, { type: 'cancelled', ...about }],
  ['CANCELLATION', noOriginal, { type: 'cancelled', authorisationReference: 'PAY', by: byPayment }],
  ['CANCELLATION', failed, { type: 'cancellationRefused', by, reason }],
  ['TECHNICAL_CANCEL', modification, { type: 'cancelled', ...about }],
  // No authorisation is known to have been: its own reference is none.
  [
    'TECHNICAL_CANCEL',
    noOriginal,
    { type: 'cancelled', authorisationReference: null, by: byPayment }
  ],
  ['TECHNICAL_CANCEL', failed, { type: 'cancellationRefused', by, reason }],
  ['CANCEL_OR_REFUND', modification, { type: 'reversed', ...about, amount, action: null }],
  ...['cancel', 'refund', 'other'].map((action): [string, Changes, object] => [
    'CANCEL_OR_REFUND',
    { ...modification, additionalData: { 'modification.action': action } },
    { type: 'reversed', ...about, amount, action: action === 'other' ? null : action }
  ]),
  ['AUTHORISATION_ADJUSTMENT', modification, { type: 'amountAdjusted', ...about, amount, at }],
  [
    'NOTIFICATION_OF_FRAUD',
    modification,
    {
      type: 'fraudReported',
      authorisationReference: 'PAY',
      reference: by.providerReference,
      amount,
      reason: null
    }
  ],
  ['CANCEL_OR_REFUND', failed, { type: 'reversalRefused', ...about, reason }],
  ['REFUND', modification, { type: 'refunded', ...about, amount }],
  ['REFUND', failed, { type: 'refundRefused', by, reason }],
  [
    'REFUND_FAILED',
    { ...failed, success: true },
    { type: 'refundFailed', ...about, amount, reason }
  ],
  ['REFUND_FAILED', failed, { type: 'refundFailed', ...about, amount, reason }],
  [
    'REFUNDED_REVERSED',
    { ...failed, success: true },
    { type: 'refundFailed', ...about, amount, reason }
  ],
  ['REFUNDED_REVERSED', failed, { type: 'refundFailed', ...about, amount, reason }],
  ...disputeMeanings(),
  ['AUTHORISATION_ADJUSTMENT', failed, 'ignored'],
  ...[
    'AUTHENTICATION',
    'AUTORESCUE',
    'CANCEL_AUTORESCUE',
    'HANDLED_EXTERNALLY',
    'MANUAL_REVIEW_ACCEPT',
    'MANUAL_REVIEW_REJECT',
    'ORDER_CLOSED',
    'ORDER_OPENED',
    'PAIDOUT_REVERSED',
    'PAYOUT_DECLINE',
    'PAYOUT_EXPIRE',
    'PAYOUT_THIRDPARTY',
    'PENDING',
    'POSTPONED_REFUND',
    'RECURRING_CONTRACT',
    'REPORT_AVAILABLE'
  ].map((code): [string, Changes, string] => [code, modification, 'ignored']),
  ...[
    'REFUND_WITH_DATA',
    'VOID_PENDING_REFUND',
    'A_CODE_OF_NEXT_YEAR',
    'authorisation',
    'constructor',
    '__proto__',
    ''
  ].map((code): [string, Changes, string] => [code, modification, 'notUnderstood'])
]

function disputeMeanings(): Array<[string, Changes, object]> {
  const codes: Record<string, DisputeEvent> = {
    REQUEST_FOR_INFORMATION: 'informationRequested',
    NOTIFICATION_OF_CHARGEBACK: 'notified',
    DISPUTE_OPENED_WITH_CHARGEBACK: 'openedWithChargeback',
    INFORMATION_SUPPLIED: 'defended',
    CHARGEBACK: 'chargedBack',
    CHARGEBACK_REVERSED: 'reversed',
    SECOND_CHARGEBACK: 'chargedBackAgain',
    DISPUTE_DEFENSE_PERIOD_ENDED: 'defencePeriodEnded',
    ISSUER_RESPONSE_TIMEFRAME_EXPIRED: 'issuerTimeEnded',
    ISSUER_COMMENTS: 'issuerCommented',
    PREARBITRATION_OPEN: 'preArbitrationOpened',
    PREARBITRATION_ACCEPTED: 'preArbitrationAccepted',
    PREARBITRATION_DECLINED: 'preArbitrationDeclined',
    PREARBITRATION_ISSUER_WITHDRAWN: 'preArbitrationWithdrawn',
    PREARBITRATION_WON: 'preArbitrationWon',
    PREARBITRATION_LOST: 'preArbitrationLost',
    SCHEME_ARBITRATION: 'arbitrationOpened',
    SCHEME_ARBITRATION_WON: 'arbitrationWon',
    SCHEME_ARBITRATION_LOST: 'arbitrationLost'
  }
  const told = { reason: null, reasonCode: null, defendBy: null }
  return Object.entries(codes).map(([code, news]) => [
    code,
    { pspReference: 'DSP', originalReference: 'PAY' },
    {
      type: 'disputed',
      event: news,
      dispute: 'DSP',
      authorisationReference: 'PAY',
      amount,
      ...told
    }
  ])
}

for (const [eventCode, changes, meaning] of meanings) {
  const success = changes.success ?? true
  const { type = 'nothing for a payment' } = (meaning ?? {}) as { type?: string }
  const why = changes.reason ? `, ${changes.reason}` : ''
  t.test(`${eventCode || 'no event code'}, success ${success}${why}: ${type}`, async (t) => {
    t.same(toProviderEvent(stored({ ...changes, eventCode })), meaning)
  })
}

t.test('every kind of event of a dispute has a code', async (t) => {
  const told = meanings.flatMap(([, , meaning]) => (meaning as { event?: string })?.event ?? [])
  t.same([...told].sort(), [...disputeEvents].sort())
})

t.test('a request of ours is told by the reference that we sent', async (t) => {
  const ours = { ...modification, merchantReference: 'ref_0123456789abcdef' }
  for (const eventCode of ['CAPTURE', 'CANCELLATION', 'TECHNICAL_CANCEL', 'CANCEL_OR_REFUND']) {
    for (const success of [true, false]) {
      t.match(
        toProviderEvent(stored({ ...ours, eventCode, success })),
        { by: { providerReference: 'MOD', reference: 'ref_0123456789abcdef' } },
        eventCode
      )
    }
  }
})

t.test(
  'what moved money is in our minor units, or not understood: money is never rounded',
  async (t) => {
    const moving = meanings.filter(
      ([, , meaning]) => typeof meaning === 'object' && 'amount' in meaning
    )
    t.ok(moving.length > 20)
    for (const [eventCode, changes, meaning] of moving) {
      const amountOf = (currency: string, value: number) => {
        const told = toProviderEvent(stored({ ...changes, eventCode, amount: { currency, value } }))
        return (told as { amount: object }).amount
      }
      t.same(amountOf('GBP', 1000), { currency: 'GBP', value: 1000 }, eventCode)
      t.same(amountOf('CLP', 150_000), { currency: 'CLP', value: 1500 })
      t.same(amountOf('IDR', 1500), { currency: 'IDR', value: 150_000 })
      if ((meaning as { type: string }).type === 'attemptRefused') continue
      const half = stored({ ...changes, eventCode, amount: { currency: 'CLP', value: 150_050 } })
      t.equal(toProviderEvent(half), 'unreadable', eventCode)
    }
  }
)

t.test('what did not happen is no money, whatever its amount', async (t) => {
  const odd = { amount: { currency: 'CLP', value: 150_050 }, success: false }
  for (const eventCode of ['CAPTURE', 'CANCELLATION', 'CANCEL_OR_REFUND', 'REFUND']) {
    t.match(toProviderEvent(stored({ ...failed, ...odd, eventCode })), { reason }, eventCode)
  }
  t.match(toProviderEvent(stored({ ...odd, eventCode: 'AUTHORISATION' })), {
    amount: { value: 150_050 }
  })
})

t.test('what is said of a dispute that is not signed is for display', async (t) => {
  const told = (reason: unknown, additionalData: Record<string, unknown>) =>
    toProviderEvent(
      stored({ eventCode: 'NOTIFICATION_OF_CHARGEBACK', reason: reason as never, additionalData })
    )
  t.match(
    told('Other Fraud-Card Absent Environment', {
      chargebackReasonCode: ' 10.4',
      defensePeriodEndsAt: '2026-02-14T09:30:00+01:00'
    }),
    {
      reason: 'Other Fraud-Card Absent Environment',
      reasonCode: '10.4',
      defendBy: new Date('2026-02-14T08:30:00Z')
    }
  )
  t.match(told('null', { rfiReasonCode: '6323' }), { reason: null, reasonCode: '6323' })
  for (const odd of ['soon', '', 'null', 1, null, {}]) {
    const data = { defensePeriodEndsAt: odd, chargebackReasonCode: odd === 'soon' ? null : odd }
    t.match(told(odd === 'soon' ? null : odd, data), {
      reason: null,
      reasonCode: null,
      defendBy: null
    })
  }
  const long = 'x'.repeat(300)
  const { reason: kept } = told(long, {}) as { reason: string }
  t.equal(kept.length, 255)
})

t.test('only the reason of a capture says that it was taken again', async (t) => {
  const againOf = (reason: string | null) => {
    const event = toProviderEvent(stored({ ...modification, eventCode: 'CAPTURE', reason }))
    return (event as { again: boolean }).again
  }
  for (const text of ['Transaction Recaptured', 'transaction auto-recaptured', 'Re-captured']) {
    t.equal(againOf(text), true, text)
  }
  for (const text of ['', 'null', null, 'Captured', 'Capture', 'Precapture']) {
    t.equal(againOf(text), false, String(text))
  }
})

t.test('the text null and the empty text are no reason', async (t) => {
  for (const reason of ['null', '', null, undefined]) {
    const given = { ...(reason !== undefined && { reason }), success: false }
    t.match(
      toProviderEvent(stored({ ...given, eventCode: 'AUTHORISATION' })),
      { failure: { code: 'card_declined', message: 'Refused' } },
      JSON.stringify(reason)
    )
    t.match(
      toProviderEvent(stored({ ...modification, ...given, eventCode: 'CANCEL_OR_REFUND' })),
      { reason: 'CANCEL_OR_REFUND' },
      JSON.stringify(reason)
    )
  }
})

t.test('a reason that is no text is none', async (t) => {
  for (const reason of [1, {}, ['Expired Card'], true]) {
    const event = toProviderEvent(
      stored({ eventCode: 'AUTHORISATION', success: false, reason: reason as never })
    )
    t.match(event, { failure: { code: 'card_declined', message: 'Refused' } })
  }
})

t.test('amounts are in our minor units', async (t) => {
  const amountOf = (currency: string, value: number, success = true) => {
    const event = toProviderEvent(
      stored({ eventCode: 'AUTHORISATION', success, amount: { currency, value } })
    )
    return (event as { amount: { value: number } }).amount.value
  }
  t.equal(amountOf('CLP', 150_000), 1500)
  t.equal(amountOf('IDR', 1500), 150_000)
  t.equal(amountOf('BHD', 1500), 1500)
  t.equal(amountOf('CLP', 150_000, false), 1500)
  const half = { eventCode: 'AUTHORISATION', amount: { currency: 'CLP', value: 150_050 } }
  t.equal(toProviderEvent(stored(half)), 'unreadable', 'A14: money must not be rounded')
  t.equal(amountOf('CLP', 150_050, false), 150_050, 'a refusal is no money')
})

t.test('the face of the card is shown as far as it is known', async (t) => {
  const faceOf = (paymentMethod: unknown, additionalData?: unknown) => {
    const item = { ...newItem(), paymentMethod, additionalData } as NotificationItem
    const event = toProviderEvent(stored({ eventCode: 'AUTHORISATION', item }))
    return (event as { card: unknown }).card
  }
  const data = { cardSummary: '1111', expiryDate: '3/2030', fundingSource: 'CREDIT' }
  t.same(faceOf('visa', data), {
    brand: 'visa',
    lastFour: '1111',
    expiryMonth: 3,
    expiryYear: 2030,
    funding: 'credit',
    registeredCardId: null
  })
  t.match(faceOf('mc'), { brand: 'mc', lastFour: null, expiryMonth: null, funding: null })
  t.match(faceOf(undefined, data), { brand: null, lastFour: '1111' })
  t.match(faceOf('visa', { ...data, expiryDate: '03/2030' }), { expiryMonth: 3 })
  t.equal(faceOf(undefined, {}), null)
  t.equal(faceOf('', null), null)
  t.equal(faceOf('null', 'text'), null)
  for (const cardSummary of ['4111111111111111', '111', 'abcd', 1111, '11 11', '1111\n']) {
    t.match(faceOf('visa', { cardSummary }), { lastFour: null }, JSON.stringify(cardSummary))
  }
  for (const expiryDate of ['2030-03', '03/30', 'x3/2030', '13/9999', '0/2030', 3, {}]) {
    t.match(faceOf('visa', { expiryDate }), { expiryMonth: null, expiryYear: null })
  }
})

/**
 * What shows or words a fact. `again` never makes a second success of a signed capture (A2),
 * `action` picks between two ways of giving all back, `at` orders adjustments.
 */
const worded = [
  ...['card', 'authentication', 'failure', 'reason', 'reasonCode', 'defendBy'],
  ...['again', 'action', 'at']
]

t.test('what is not signed decides nothing', async (t) => {
  const unsigned = fc.record(
    {
      eventDate: fc.string(),
      reason: fc.oneof(fc.string(), fc.constant('Refused'), fc.constant(null)),
      paymentMethod: fc.anything(),
      operations: fc.anything(),
      success: fc.constantFrom('true', 'false', 'maybe'),
      eventCode: fc.constantFrom('AUTHORISATION', 'CAPTURE'),
      pspReference: fc.string(),
      amount: fc.record({ currency: fc.constant('EUR'), value: fc.nat() }),
      additionalData: fc.dictionary(
        fc.constantFrom(
          ...['cardSummary', 'modification.action', 'chargebackReasonCode'],
          ...['paymentMethodVariant', 'threeDAuthenticated', 'liabilityShift']
        ),
        fc.anything()
      )
    },
    { requiredKeys: [] }
  )
  fc.assert(
    fc.property(fc.constantFrom(...meanings), unsigned, ([eventCode, changes], more) => {
      const notification = stored({ ...changes, eventCode })
      const item = { ...notification.item, ...more } as NotificationItem
      const decides = (event: object | string) =>
        JSON.stringify(event, (key, value) => (worded.includes(key) ? undefined : value))
      return (
        decides(toProviderEvent(notification)) ===
        decides(toProviderEvent({ ...notification, item }))
      )
    }),
    { numRuns: 1_000 }
  )
  t.pass('1,000 times')
})
