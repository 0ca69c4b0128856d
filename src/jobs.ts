/**
 * The delays of all background work, in seconds. What is due lives in the row that it concerns:
 * when, how often it was tried, and until when somebody holds it.
 */

/** How long work without a wake-up call may lie: the net under the wake-ups. */
export const pollEveryMs = 1_000

/** Beyond the provider's deadline, what a finisher needs for its own statements. */
export const leaseMarginS = 2

/** Asking for a page again, and sending a reversal again, when the outcome is unknown. */
export const providerRetryS = [2, 4, 8, 15, 30, 60, 120, 300] as const

/** A link is looked after this long after it was made, and then every hour while it is open. */
export const linkFirstPollS = 600
export const linkPollS = 3_600
/** How long the notification may take of a link that the provider says was paid. */
export const toldPaidWaitS = 3_600

/** Asking again what became of a page whose customer came back, until the page ends. */
export const pageAskS = [5, 15, 60, 300, 900, 3_600] as const
/** The last time is so long before the page ends. */
export const pageLastAskS = 60

/**
 * A reservation that is neither captured nor released for so long: Adyen keeps it for 28 days
 * (docs.adyen.com/online-payments/adjust-authorisation), and has two more to say that it expired.
 */
export const reservationMaxS = 30 * 24 * 60 * 60

/** Asking what became of a charge: each pause is as long as the question is old, within these. */
export const chargeRetryMinS = 2
export const chargeRetryMaxS = 3_600

/**
 * Asking for the cards of an account again when there was nothing new: the provider stores a card a
 * while after it told of the payment (docs.adyen.com/online-payments/tokenization).
 */
export const lookAgainS = [5, 60] as const

/** Trying a notification again whose payment is unknown, or which could not be applied. */
export const notificationRetryS = [1, 5, 15, 60, 300, 1_800, 7_200, 21_600] as const

/** A notification that could not be applied this often is parked for a person. */
export const notificationTriesMax = 6
/** One whose payment never appeared is parked after about a week. */
export const waitingTriesMax = 36

/** How long one who reads or fetches a settlement report has it to itself, between two signs. */
export const reportLeaseS = 60
/** Fetching a settlement report again, or going on with one, after a fault. */
export const reportRetryS = [2, 15, 60, 300, 1_800, 7_200] as const
/** After so many tries a person is asked to upload it. */
export const reportTriesMax = 8
/** How often it is looked whether the provider has told of a report. */
export const fetchEveryMs = 3_000
/** How often captures are looked for that no report has. */
export const missingEveryMs = 60 * 60_000
/** How often lines that nothing explained are tried again, of payments that changed lately. */
export const rematchEveryMs = 60_000
/** How often it is looked whether a refund that resolved a discrepancy came to nothing. */
export const reopenEveryMs = 60_000

/** A request that moves money is never sent again after 24 h: its key may be forgotten by then. */
export const moneyRetryForMs = 24 * 60 * 60_000

/** Telling an endpoint again what it did not take, each pause a fifth shorter or longer at most. */
export const webhookRetryS = [1, 3, 8, 20, 60, 300, 1_800, 7_200, 21_600] as const
export const webhookJitter = 0.2
/** Then it is given up; an endpoint that took nothing in that time is disabled. */
export const webhookRetryForS = 3 * 24 * 60 * 60
/** The longest that an endpoint may ask us to wait. */
export const webhookRetryAfterMaxS = 21_600
/** What the first try of a delivery may come late, where it is counted how long nothing worked. */
export const webhookLateS = 3_600
/** From the name's resolution to the last byte that is read of an answer. */
export const webhookDeadlineMs = 10_000
/** An attempt whose process died is due again. */
export const webhookLeaseS = webhookDeadlineMs / 1000 + 5
/** For how long an event that fails holds up the later ones of its payment at the endpoint. */
export const webhookInOrderForS = 600
/**
 * Attempts under way at once: at one endpoint, at one that is failing, and of an instance, of which
 * the last are `reserved` for endpoints that have none under way.
 */
export const webhookAtOnce = {
  endpoint: 10,
  failingEndpoint: 2,
  instance: 500,
  reserved: 100
} as const
/** How often it is looked what was pending at endpoints that were disabled; how much at a time. */
export const settleEveryMs = 5_000
export const settleBatchSize = 2_000
/** An old secret signs this long after its rotation. */
export const webhookOldSecretS = 24 * 60 * 60
/** Attempts under way have this long to end when the service stops. */
export const webhookStopMs = 2_000
/** What is settled is shown this long. */
export const webhookKeptForDays = 30

/** How often what waits for somebody is counted, for the metrics. */
export const countEveryMs = 15_000

export const purgeEveryMs = 60 * 60_000

/** How often reservations are looked for that nobody captured. */
export const reservationsEveryMs = 60 * 60_000

/** The delay after the n-th try, the last one for ever. */
export function delayAfter(delaysS: readonly number[], tries: number): number {
  return delaysS[Math.min(tries, delaysS.length - 1)] as number
}
