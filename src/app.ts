import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import { accountRoutes } from './accounts/account.routes.ts'
import {
  AccountSchema,
  ChangeCharge,
  ChargeSchema,
  CreateCharge,
  EntrySchema,
  PutAccount
} from './accounts/account.schema.ts'
import { adjustmentRoutes } from './accounts/adjustment.routes.ts'
import { AdjustmentSchema, CreateAdjustment } from './accounts/adjustment.schema.ts'
import { type NotificationRoutesDeps, notificationRoutes } from './adyen/notification.routes.ts'
import { NotificationSchema } from './adyen/notification.schema.ts'
import { billingRoutes } from './billing/billing.routes.ts'
import {
  AcknowledgeFile,
  BillingFileSchema,
  MakeFile,
  RejectDetails,
  UploadSchema
} from './billing/billing.schema.ts'
import { postingRoutes } from './billing/posting.routes.ts'
import { AcknowledgePosting, PostingSchema } from './billing/posting.schema.ts'
import { summaryRoutes } from './books/summary.routes.ts'
import { SummarySchema } from './books/summary.schema.ts'
import { threeWayRoutes } from './books/three-way.routes.ts'
import { ThreeWaySchema } from './books/three-way.schema.ts'
import type { CardDeps } from './cards/card.commands.ts'
import { cardRoutes } from './cards/card.routes.ts'
import {
  CardList,
  RegisterCard,
  RegisteredCardSchema,
  RegistrationSchema
} from './cards/card.schema.ts'
import { createRoutes } from './checkout/create.routes.ts'
import { CreatePayment } from './checkout/create.schema.ts'
import type { CheckoutDeps } from './checkout/outcome.commands.ts'
import type { RecordDeps } from './checkout/recorded-payment.commands.ts'
import { recordedPaymentRoutes } from './checkout/recorded-payment.routes.ts'
import { RecordPayment } from './checkout/recorded-payment.schema.ts'
import { registrationRoutes } from './checkout/registration.routes.ts'
import { returnRoutes } from './checkout/return.routes.ts'
import { discrepancyRoutes } from './discrepancies/discrepancy.routes.ts'
import { DiscrepancySchema, ResolveDiscrepancy } from './discrepancies/discrepancy.schema.ts'
import { type FeedDeps, feedRoutes } from './feed/feed.routes.ts'
import { FeedEventSchema } from './feed/feed.schema.ts'
import { addAuthentication, type ClientCache } from './http/auth.plugin.ts'
import { Amount, Balance, ProblemSchema } from './http/common.schema.ts'
import { addETags } from './http/etag.plugin.ts'
import { healthRoutes } from './http/health.routes.ts'
import { addDocs, addOpenApi } from './http/openapi.plugin.ts'
import { addProblems } from './http/problems.plugin.ts'
import {
  addBodyDeadline,
  addRequestLog,
  newRequestId,
  type OnAnswer
} from './http/request.plugin.ts'
import { addTextGuard, buildValidator } from './http/validation.plugin.ts'
import type { OperationDeps } from './operations/operation.commands.ts'
import { operationRoutes } from './operations/operation.routes.ts'
import {
  CancellationSchema,
  CaptureSchema,
  CreateCancellation,
  CreateCapture,
  CreateRefund,
  DecideOnRefund,
  DisputeSchema,
  RefundSchema
} from './operations/operation.schema.ts'
import { paymentRoutes } from './payments/payment.routes.ts'
import {
  CardSchema,
  EventSchema,
  FailureSchema,
  PaymentSchema,
  SettlementSchema
} from './payments/payment.schema.ts'
import type { Waiters } from './payments/waiters.commands.ts'
import { reportRoutes } from './settlement/report.routes.ts'
import { ReportSchema } from './settlement/report.schema.ts'
import { deliveryRoutes } from './webhooks/delivery.routes.ts'
import type { WebhookDeps } from './webhooks/webhook.commands.ts'
import { webhookRoutes } from './webhooks/webhook.routes.ts'
import {
  ChangeWebhookEndpoint,
  CreateWebhookEndpoint,
  DeliverySchema,
  DeliveryWithAttemptsSchema,
  NewWebhookEndpointSchema,
  ReplayEvents,
  ReplayedSchema,
  WebhookEndpointSchema,
  WebhookSecretSchema
} from './webhooks/webhook.schema.ts'
import { webhookDocument } from './webhooks/webhook-document.ts'

export type AppDeps = {
  payments: CheckoutDeps
  waiters: Waiters
  feed: Omit<FeedDeps, 'db'>
  webhooks: Omit<WebhookDeps, 'db'>
  operations: OperationDeps
  records: RecordDeps
  cards: CardDeps
  notifications: Omit<NotificationRoutesDeps, 'db'>
  /** Told that a settlement report is to be read. */
  wakeReports: () => void
  clients: ClientCache
  findFault: () => Promise<string | undefined>
  onAnswer: OnAnswer
  log: FastifyBaseLogger
}

/** Every schema that the OpenAPI document names. */
const schemas = [
  Amount,
  Balance,
  ProblemSchema,
  FailureSchema,
  CardSchema,
  PaymentSchema,
  CreatePayment,
  EventSchema,
  FeedEventSchema,
  WebhookEndpointSchema,
  NewWebhookEndpointSchema,
  CreateWebhookEndpoint,
  ChangeWebhookEndpoint,
  WebhookSecretSchema,
  ReplayEvents,
  ReplayedSchema,
  DeliverySchema,
  DeliveryWithAttemptsSchema,
  CaptureSchema,
  CreateCapture,
  CancellationSchema,
  CreateCancellation,
  RefundSchema,
  CreateRefund,
  DecideOnRefund,
  DisputeSchema,
  RecordPayment,
  AccountSchema,
  PutAccount,
  ChargeSchema,
  CreateCharge,
  ChangeCharge,
  AdjustmentSchema,
  CreateAdjustment,
  EntrySchema,
  RegisteredCardSchema,
  CardList,
  RegisterCard,
  RegistrationSchema,
  SettlementSchema,
  ReportSchema,
  DiscrepancySchema,
  ResolveDiscrepancy,
  SummarySchema,
  PostingSchema,
  AcknowledgePosting,
  BillingFileSchema,
  MakeFile,
  AcknowledgeFile,
  UploadSchema,
  RejectDetails,
  ThreeWaySchema,
  NotificationSchema
]

/** Limits that default to none, or to more than this service needs. */
const limits = {
  bodyLimit: 64 * 1024,
  // To receive a request, of which a settlement report is the longest; and for a connection that
  // says nothing.
  requestTimeout: 120_000,
  connectionTimeout: 60_000,
  keepAliveTimeout: 72_000,
  routerOptions: { maxParamLength: 100 }
} as const
const connectionsMax = 10_000
/** To receive headers; and a body that is no report. */
const receiveWithinMs = 10_000

/** Every plugin and route of the API, in the order in which they apply. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { publicUrl, db } = deps.payments
  const app = fastify({
    ...limits,
    loggerInstance: deps.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: newRequestId,
    requestIdHeader: false,
    forceCloseConnections: 'idle',
    // What comes on an open connection while closing is still answered; then it is closed.
    return503OnClosing: false,
    schemaController: {
      compilersFactory: { buildValidator: buildValidator as never, buildSerializer }
    },
    frameworkErrors: (error, request, reply) => {
      app.errorHandler(error, request as never, reply as never)
    }
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.server.maxConnections = connectionsMax
  app.server.headersTimeout = receiveWithinMs
  addJsonBodies(app)
  for (const schema of schemas) app.addSchema(schema)

  addProblems(app, publicUrl)
  addRequestLog(app, deps.onAnswer)
  addBodyDeadline(app, receiveWithinMs)
  addAuthentication(app, deps.clients)
  addTextGuard(app)
  addETags(app)

  await addOpenApi(app, publicUrl, webhookDocument)
  await app.register(healthRoutes, { findFault: deps.findFault })
  await app.register(createRoutes, deps.payments)
  await app.register(paymentRoutes, { ...deps.payments, waiters: deps.waiters })
  await app.register(feedRoutes, { db, ...deps.feed })
  await app.register(webhookRoutes, { db, ...deps.webhooks })
  await app.register(deliveryRoutes, { db, ...deps.webhooks })
  await app.register(operationRoutes, deps.operations)
  await app.register(recordedPaymentRoutes, deps.records)
  await app.register(accountRoutes, { db })
  await app.register(adjustmentRoutes, { db })
  await app.register(cardRoutes, deps.cards)
  await app.register(registrationRoutes, deps.payments)
  await app.register(notificationRoutes, { db, ...deps.notifications })
  const { merchantAccount } = deps.notifications
  await app.register(reportRoutes, { db, wake: deps.wakeReports })
  await app.register(discrepancyRoutes, deps.operations)
  await app.register(summaryRoutes, { db, merchantAccount })
  const postings = { db, providerName: deps.operations.providerName }
  await app.register(postingRoutes, postings)
  await app.register(billingRoutes, postings)
  await app.register(threeWayRoutes, { db, merchantAccount })
  await app.register(returnRoutes, deps.payments)
  await addDocs(app)
  return app
}

/**
 * Fastify would compile a serializer for each answer of each route, each with every schema that the
 * document names: most of the time and memory that a start takes, to write what JSON.stringify
 * writes. That answers are what the document says is held by the tests of the contract.
 */
const buildSerializer = () => () => JSON.stringify

/** Bodies are JSON, or nothing at all; Fastify would read text as well, and mind an empty one. */
function addJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.decorateRequest('signedText', '')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (request.routeOptions.config.signedBody) request.signedText = body as string
    if (body === '') done(null, undefined)
    else parse(request, body as string, done)
  })
}
