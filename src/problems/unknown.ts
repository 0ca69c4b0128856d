/** Problems of an id or a path that nobody has: all 404, and part of the table in `problems.ts`. */

const unknownId = (one: string, many: string) => ({
  status: 404,
  title: `No ${one} has this id`,
  cause: 'The id in the path is unknown.',
  cure: `List the ${many} and use an id from there.`
})

export const unknownProblems = {
  not_found: {
    status: 404,
    title: 'Nothing is here',
    cause: 'No route has this path.',
    cure: 'Compare the path with the OpenAPI document at /openapi.json.'
  },
  payment_not_found: {
    status: 404,
    title: 'No payment has this id',
    cause: 'The id is unknown, or the payment belongs to another client.',
    cure: 'Use the id that the creation answered with, and the client that created it.'
  },
  refund_not_found: {
    status: 404,
    title: 'No refund has this id',
    cause: 'The id is unknown, or the payment belongs to another client.',
    cure: 'Use the id that the request for the refund answered with.'
  },
  account_not_known: {
    status: 404,
    title: 'No account has this number',
    cause: 'The account in the path was never pushed to this service.',
    cure: 'Push it with PUT /v1/accounts/{accountId}, or correct the number.'
  },
  charge_not_known: {
    status: 404,
    title: 'No charge has this id',
    cause: 'The account in the path has no charge of the id in the path.',
    cure: 'List the charges of the account and use an id from there.'
  },
  card_not_found: {
    status: 404,
    title: 'The account has no such card',
    cause: "The id is unknown, the card is another account's, or it was removed.",
    cure: 'List the cards of the account and use an id from there.'
  },
  registration_not_found: {
    status: 404,
    title: 'No card registration has this id',
    cause: 'The id in the path is unknown.',
    cure: 'Use the id that the creation answered with.'
  },
  payment_method_not_found: unknownId('payment method', 'payment methods'),
  notification_not_found: unknownId('notification', 'notifications'),
  report_not_found: unknownId('settlement report', 'settlement reports'),
  discrepancy_not_found: unknownId('discrepancy', 'discrepancies'),
  webhook_endpoint_not_found: {
    status: 404,
    title: 'No webhook endpoint has this id',
    cause: 'The id is unknown, or the endpoint was deleted or belongs to another client.',
    cure: 'List your webhook endpoints and use an id from there.'
  },
  delivery_not_found: {
    status: 404,
    title: 'No delivery has this id',
    cause: 'The id is unknown or of another client, or the delivery was settled long ago.',
    cure: 'List the deliveries of your webhook endpoint and use an id from there.'
  },
  posting_not_found: unknownId('posting', 'postings'),
  billing_file_not_found: unknownId('billing file', 'billing files'),
  receipt_not_found: {
    status: 404,
    title: 'The payment has no receipt',
    cause: 'It has brought no money: it is not captured, or its capture came to nothing.',
    cure: 'Read the payment; there is a receipt once `amountCaptured` is more than 0.'
  }
} as const
