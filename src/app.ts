import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController
} from 'fastify'
import { accountRoutes } from './accounts/account.routes.ts'
import { adjustmentRoutes } from './accounts/adjustment.routes.ts'
import { notificationPath, notificationRoutes } from './adyen/notification.routes.ts'
import { billingRoutes } from './billing/billing.routes.ts'
import { postingRoutes } from './billing/posting.routes.ts'
import { summaryRoutes } from './books/summary.routes.ts'
import { threeWayRoutes } from './books/three-way.routes.ts'
import { cardRoutes } from './cards/card.routes.ts'
import { createRoutes } from './checkout/create.routes.ts'
import { recordedPaymentRoutes } from './checkout/recorded-payment.routes.ts'
import { registrationRoutes } from './checkout/registration.routes.ts'
import { returnRoutes } from './checkout/return.routes.ts'
import { discrepancyRoutes } from './discrepancies/discrepancy.routes.ts'
import { disputeRoutes } from './disputes/dispute.routes.ts'
import { feedRoutes } from './feed/feed.routes.ts'
import { guideRoutes } from './guides/guide.routes.ts'
import { addAdmission } from './http/admission.plugin.ts'
import { addAuthentication } from './http/auth.plugin.ts'
import { addBodies } from './http/body.plugin.ts'
import { addConnections, connectionOptions } from './http/connection.plugin.ts'
import { addNegotiation } from './http/csv.plugin.ts'
import { addDeprecations } from './http/deprecation.plugin.ts'
import { addETags } from './http/etag.plugin.ts'
import { healthRoutes } from './http/health.routes.ts'
import { homeRoutes } from './http/home.routes.ts'
import { addIdempotency } from './http/idempotency.plugin.ts'
import { addMethods } from './http/methods.plugin.ts'
import { addProblems } from './http/problems.plugin.ts'
import { createRateLimits } from './http/rate-limit.plugin.ts'
import {
  addBodyDeadline,
  addRequestLog,
  newRequestId,
  type OnAnswer
} from './http/request.plugin.ts'
import { addNamed, addTextGuard, addValidation } from './http/validation.plugin.ts'
import { observeRequest } from './metrics/metrics.ts'
import { oauthRoutes } from './oauth/oauth.routes.ts'
import { addDocs, addOpenApi, mainDocument } from './openapi/openapi.plugin.ts'
import { operationRoutes } from './operations/operation.routes.ts'
import { paymentRoutes } from './payments/payment.routes.ts'
import { receiptRoutes } from './receipts/receipt.routes.ts'
import type { Context } from './service-context.ts'
import { reportRoutes } from './settlement/report.routes.ts'
import { TmfErrorSchema } from './tmf/tmf.schema.ts'
import { tmfDocuments } from './tmf/tmf-documents.ts'
import { tmfErrors } from './tmf/tmf-error.ts'
import { billingAccountRoutes } from './tmf-accounts/billing-account.routes.ts'
import { paymentMethodRoutes } from './tmf-payment-methods/payment-method.routes.ts'
import { registeredPageRoutes } from './tmf-payment-methods/registered-page.routes.ts'
import { hubRoutes } from './tmf-payments/hub.routes.ts'
import { tmfPaymentRoutes } from './tmf-payments/tmf-payment.routes.ts'
import { tmfRefundRoutes } from './tmf-payments/tmf-refund.routes.ts'
import type { Tracer } from './tracing/span.ts'
import { addTraces } from './tracing/trace.plugin.ts'
import { deliveryRoutes } from './webhooks/delivery.routes.ts'
import { webhookRoutes } from './webhooks/webhook.routes.ts'
import { webhookDocument } from './webhooks/webhook-document.ts'

/** Every route of the API, in the order of the document. */
const allRoutes = [
  healthRoutes,
  oauthRoutes,
  createRoutes,
  paymentRoutes,
  receiptRoutes,
  feedRoutes,
  webhookRoutes,
  deliveryRoutes,
  operationRoutes,
  disputeRoutes,
  recordedPaymentRoutes,
  accountRoutes,
  adjustmentRoutes,
  cardRoutes,
  registrationRoutes,
  notificationRoutes,
  reportRoutes,
  discrepancyRoutes,
  summaryRoutes,
  postingRoutes,
  billingRoutes,
  threeWayRoutes,
  paymentMethodRoutes,
  billingAccountRoutes,
  tmfPaymentRoutes,
  tmfRefundRoutes,
  hubRoutes
]

/** The OpenAPI documents; a route is in the first whose paths begin as its own does. */
export const apiDocuments = [...tmfDocuments, mainDocument(webhookDocument)]

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
/** To receive headers; and a body that is no report, or of a caller who is not known yet. */
const receiveWithinMs = 10_000
/** How often connections are looked at that are over their time: by default every 30 s. */
const lookEveryMs = 1_000

/** Every plugin and route of the API, in the order in which they apply. */
export async function buildApp(context: Context, tracer?: Tracer): Promise<FastifyInstance> {
  const { publicUrl, metrics, wake, sandbox, isStopping } = context
  const log: FastifyBaseLogger = context.log
  const onAnswer: OnAnswer = (route, method, status, ms) => {
    observeRequest(metrics, route, method, status, ms)
    // Whatever it wrote is announced at once, and not when the next poll finds it.
    if (mayMakeEvents(method, route)) wake('announce')
  }
  const connections = {
    ...{ publicUrl, log, onAnswer },
    countRefusal: (request: FastifyRequest, reply: FastifyReply) =>
      rateLimits.ofAddress(request, reply)
  }
  const options = connectionOptions(() => app, connections)
  const app: FastifyInstance = fastify({
    ...limits,
    ...options,
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: newRequestId,
    requestIdHeader: false,
    trustProxy: context.trustProxy.length > 0 && [...context.trustProxy],
    forceCloseConnections: 'idle',
    // What comes on an open connection while closing is still answered; then it is closed.
    return503OnClosing: false,
    http: {
      ...options.http,
      headersTimeout: receiveWithinMs,
      connectionsCheckingInterval: lookEveryMs
    }
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.server.maxConnections = connectionsMax
  addBodies(app)

  // Fastify would compile a serializer for each answer of each route: most of the time and memory
  // that a start takes, to write what this writes. Views name what goes out.
  app.setSerializerCompiler(() => JSON.stringify)
  addValidation(app)
  addNamed(app, TmfErrorSchema)
  addProblems(app, publicUrl, [tmfErrors])
  // From the first moment, so that no connection is left to be closed under a request.
  app.addHook('onRequest', (_, reply, done) => {
    if (isStopping()) reply.header('connection', 'close')
    done()
  })
  if (tracer !== undefined) addTraces(app, tracer)
  addRequestLog(app, publicUrl, onAnswer)
  addConnections(app, connections)
  addBodyDeadline(app, receiveWithinMs)
  const { whileAway } = addAdmission(app)
  const rateLimits = await createRateLimits(app, context.rateLimit)
  addAuthentication(app, context, rateLimits)
  addMethods(app)
  addNegotiation(app)
  addTextGuard(app)
  addIdempotency(app)
  addETags(app)
  addDeprecations(app, publicUrl)

  await addOpenApi(app, publicUrl, apiDocuments)
  // Who waits for the provider holds nothing that others could use.
  const ofRoutes = { ...context, provider: whileAway(context.provider) }
  for (const routes of allRoutes) await routes(app, ofRoutes)
  await returnRoutes(app, context)
  await registeredPageRoutes(app, context)
  await homeRoutes(app, context)
  await guideRoutes(app, context)
  await addDocs(app, sandbox, apiDocuments)
  return app
}

/**
 * Whether a request may have made events when it is answered: a browser that returns may have
 * brought an outcome. What a notification makes is made later, by the task that applies it.
 */
function mayMakeEvents(method: string, route: string): boolean {
  if (route === notificationPath || route === 'none') return false
  return (method !== 'GET' && method !== 'HEAD') || route.startsWith('/return')
}
