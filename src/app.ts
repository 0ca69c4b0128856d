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
import type { CardDeps } from './cards/card.commands.ts'
import { cardRoutes } from './cards/card.routes.ts'
import {
  CardList,
  RegisterCard,
  RegisteredCardSchema,
  RegistrationSchema
} from './cards/card.schema.ts'
import { addAuthentication, type ClientCache } from './http/auth.plugin.ts'
import { Amount, Balance, ProblemSchema } from './http/common.schema.ts'
import { healthRoutes } from './http/health.routes.ts'
import { addDocs, addOpenApi } from './http/openapi.plugin.ts'
import { addProblems } from './http/problems.plugin.ts'
import { addRequestLog, newRequestId, type OnAnswer } from './http/request.plugin.ts'
import { addTextGuard, buildValidator } from './http/validation.plugin.ts'
import { type FeedDeps, feedRoutes } from './outcomes/feed.routes.ts'
import { FeedEventSchema } from './outcomes/feed.schema.ts'
import type { PaymentDeps } from './payments/create-payment.commands.ts'
import type { ModificationDeps } from './payments/modification.commands.ts'
import { modificationRoutes } from './payments/modification.routes.ts'
import {
  CancellationSchema,
  CaptureSchema,
  CreateCancellation,
  CreateCapture,
  CreateRefund,
  DecideOnRefund,
  DisputeSchema,
  RefundSchema
} from './payments/modification.schema.ts'
import { paymentRoutes } from './payments/payment.routes.ts'
import {
  CardSchema,
  CreatePayment,
  EventSchema,
  FailureSchema,
  PaymentSchema
} from './payments/payment.schema.ts'
import type { RecordDeps } from './payments/recorded-payment.commands.ts'
import { recordedPaymentRoutes } from './payments/recorded-payment.routes.ts'
import { RecordPayment } from './payments/recorded-payment.schema.ts'
import { returnRoutes } from './payments/return.routes.ts'
import type { WaitingRoom } from './payments/waiting.commands.ts'

export type AppDeps = {
  payments: PaymentDeps
  waitingRoom: WaitingRoom
  feed: Omit<FeedDeps, 'db'>
  modifications: ModificationDeps
  records: RecordDeps
  cards: CardDeps
  notifications: Omit<NotificationRoutesDeps, 'db'>
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
  NotificationSchema
]

/** Limits that default to none, or to more than this service needs. */
const limits = {
  bodyLimit: 64 * 1024,
  // To receive a request; and for a connection that says nothing.
  requestTimeout: 10_000,
  connectionTimeout: 60_000,
  keepAliveTimeout: 72_000,
  routerOptions: { maxParamLength: 100 }
} as const
const connectionsMax = 10_000

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
    schemaController: { compilersFactory: { buildValidator: buildValidator as never } },
    frameworkErrors: (error, request, reply) => {
      app.errorHandler(error, request as never, reply as never)
    }
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.server.maxConnections = connectionsMax
  addJsonBodies(app)
  for (const schema of schemas) app.addSchema(schema)

  addProblems(app, publicUrl)
  addRequestLog(app, deps.onAnswer)
  addAuthentication(app, deps.clients)
  addTextGuard(app)

  await addOpenApi(app, publicUrl)
  await app.register(healthRoutes, { findFault: deps.findFault })
  await app.register(paymentRoutes, { ...deps.payments, waitingRoom: deps.waitingRoom })
  await app.register(feedRoutes, { db, ...deps.feed })
  await app.register(modificationRoutes, deps.modifications)
  await app.register(recordedPaymentRoutes, deps.records)
  await app.register(accountRoutes, { db })
  await app.register(adjustmentRoutes, { db })
  await app.register(cardRoutes, deps.cards)
  await app.register(notificationRoutes, { db, ...deps.notifications })
  await app.register(returnRoutes, deps.payments)
  await addDocs(app)
  return app
}

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
