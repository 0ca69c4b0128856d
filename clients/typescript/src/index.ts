export type { Called, ClientOptions } from './calls.ts'
export { type Client, createClient } from './client.ts'
export type { FeedOptions } from './lists.ts'
export type * from './openapi.ts'
export type {
  Answer,
  CallOptions,
  ItemOf,
  ListPath,
  Operation,
  Page,
  PathWith
} from './operations.ts'
export { type ErrorCode, PaymentsError } from './payments-error.ts'
export type { WaitOptions } from './waiting.ts'
export {
  type VerifyOptions,
  verifyWebhook,
  type WebhookHeaders,
  WebhookVerificationError
} from './webhook.ts'
