import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import { accountRoutes } from './accounts/account.routes.ts'
import {
  AccountSchema,
  ChargeSchema,
  CreateCharge,
  EntrySchema,
  PutAccount
} from './accounts/account.schema.ts'
import { type NotificationRoutesDeps, notificationRoutes } from './adyen/notification.routes.ts'
import { NotificationSchema } from './adyen/notification.schema.ts'
import { addAuthentication, type ClientCache } from './http/auth.plugin.ts'
import { Amount, Balance, ProblemSchema } from './http/common.schema.ts'
import { healthRoutes } from './http/health.routes.ts'
import { addDocs, addOpenApi } from './http/openapi.plugin.ts'
import { addProblems } from './http/problems.plugin.ts'
import { addRequestLog, newRequestId, type OnAnswer } from './http/request.plugin.ts'
import { addTextGuard, buildValidator } from './http/validation.plugin.ts'
import type { PaymentDeps } from './payments/create-payment.commands.ts'
import { paymentRoutes } from './payments/payment.routes.ts'
import {
  CardSchema,
  CreatePayment,
  EventSchema,
  FailureSchema,
  PaymentSchema
} from './payments/payment.schema.ts'
import { returnRoutes } from './payments/return.routes.ts'

export type AppDeps = {
  payments: PaymentDeps
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
  AccountSchema,
  PutAccount,
  ChargeSchema,
  CreateCharge,
  EntrySchema,
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
  await app.register(paymentRoutes, deps.payments)
  await app.register(accountRoutes, { db })
  await app.register(notificationRoutes, { db, ...deps.notifications })
  await app.register(returnRoutes, deps.payments)
  await addDocs(app)
  return app
}

/** Bodies are JSON, or nothing at all; Fastify would read text as well, and mind an empty one. */
function addJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else parse(request, body as string, done)
  })
}
