/** Every type of event, the closed list of the contract, and what each says. */
export const eventMeanings = {
  'payment.created': 'The payment was written down: it is pending',
  'payment.attemptRefused': 'An attempt to pay was refused; on a page the customer may try again',
  'payment.authorised': 'The money is reserved; its capture is due',
  'payment.captured': 'The money is taken, and on the account',
  'payment.refused': 'It ended without money, after refused attempts',
  'payment.cancelled': 'It ended without money: the customer or a client cancelled it',
  'payment.expired': 'It ended without money: nobody paid in time, or what was reserved lapsed',
  'payment.failed': 'It cannot be paid; or its capture came to nothing, and the account owes again',
  'payment.amountAdjusted': 'Another amount is reserved than before',
  'payment.fraudReported': "The card's bank reported it as fraud: a chargeback may follow",
  'payment.settled': 'The payment provider has paid the money out, by its report',
  'capture.requested': 'A capture was asked for; its outcome is to come',
  'capture.succeeded': 'The money of the capture is taken',
  'capture.failed': 'The capture came to nothing, at once or after it had succeeded',
  'cancellation.requested': 'A cancellation was asked for; its outcome is to come',
  'cancellation.succeeded': 'What was reserved is released; nothing will be taken',
  'cancellation.failed': 'The cancellation came to nothing',
  'reversal.requested': 'Money that was not wanted is to go back to the card',
  'reversal.succeeded': 'It went back',
  'reversal.failed': 'It did not go back: a person decides what becomes of it',
  'refund.awaitingApproval': 'A refund waits for the decision of another operator',
  'refund.approved': 'The refund may be made',
  'refund.rejected': 'The refund will not be made',
  'refund.requested': 'A refund was asked for; its outcome is to come',
  'refund.succeeded': 'The money went back to the card',
  'refund.failed': "The refund came to nothing; later too, when the card's bank sends it back",
  'dispute.opened': "The customer questions the payment at the card's bank",
  'dispute.updated': 'The dispute is at another stage, or its money has moved',
  'dispute.closed': 'The dispute is decided',
  'dispute.deadlineApproaching': 'The dispute can be defended for 7, or for 2 more days',
  'card.registered': 'A card can be charged for the account from now on',
  'card.removed': 'The card cannot be charged any more',
  'discrepancy.opened': 'Two truths disagree, and a person may have to decide',
  'discrepancy.resolved': 'It is decided, or explained by what came later',
  'webhookEndpoint.disabled': 'Nothing is sent to the endpoint any more: it failed, or is gone'
} as const
export type EventType = keyof typeof eventMeanings
export const eventTypes = Object.keys(eventMeanings) as readonly EventType[]

/** Sent to one webhook endpoint on request: it is in no feed, and no list of types can hold it. */
export const testType = 'webhookEndpoint.test'
