import type { FastifyInstance, FastifyRequest } from 'fastify'
import { checkPrecondition, etagOf, matchesETag, type Precondition } from './precondition.ts'
import { configOf } from './route-config.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** GET of one resource: it has an ETag, its own or of what it shows, and may answer 304. */
    etag?: boolean
    /** It checks the request's precondition itself, where nothing else can change any more. */
    precondition?: boolean
  }
}

/**
 * Gives the ETag that stands for what is shown, and answers 304 to a caller that has it. A change
 * of what has no ETag can't be made conditional on one: then nothing that If-Match names is there.
 */
export function addETags(app: FastifyInstance): void {
  app.addHook('preHandler', (request, _, done) => {
    const { scope, precondition } = configOf(request)
    if (scope === undefined || precondition || /^(GET|HEAD)$/.test(request.method)) return done()
    const { ifMatch } = preconditionOf(request)
    if (ifMatch !== undefined && ifMatch.trim() !== '*') checkPrecondition({ ifMatch }, undefined)
    done()
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    if (!configOf(request).etag || reply.statusCode !== 200) return done(null, payload)
    const etag = String(reply.getHeader('etag') ?? etagOf(String(payload)))
    reply.header('etag', etag)
    if (!matchesETag(request.headers['if-none-match'], etag)) return done(null, payload)
    reply.code(304).removeHeader('content-type')
    // Of HEAD Fastify drops the body by itself, once it has its length from it.
    done(null, request.method === 'HEAD' ? payload : null)
  })
}

/** What the request supposes to be there. */
export function preconditionOf({ headers }: FastifyRequest): Precondition {
  return { ifMatch: headers['if-match'], ifNoneMatch: headers['if-none-match'] }
}
