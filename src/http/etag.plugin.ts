import { hash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** GET of one resource: it has an ETag, its own or of what it shows, and may answer 304. */
    etag?: boolean
  }
}

/** Gives the ETag that stands for what is shown, and answers 304 to a caller that has it. */
export function addETags(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    if (!request.routeOptions.config.etag || reply.statusCode !== 200) return done(null, payload)
    const shown = () => `"${hash('sha256', String(payload), 'base64url')}"`
    const etag = String(reply.getHeader('etag') ?? shown())
    reply.header('etag', etag)
    if (!matchesETag(request.headers['if-none-match'], etag)) return done(null, payload)
    reply.code(304).removeHeader('content-type')
    done(null, null)
  })
}

/** RFC 9110, 13.1.2: a list of ETags, compared weakly, or `*`. */
export function matchesETag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes(etag) || tags.includes('*')
}
