import type { FastifyContextConfig, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    /** See `configOf`. */
    routeConfig?: FastifyContextConfig
  }
}

/**
 * What the route of a request is configured with. Fastify puts `routeOptions` together anew each
 * time it is read, and ten hooks read it.
 */
export function configOf(request: FastifyRequest): FastifyContextConfig {
  request.routeConfig ??= request.routeOptions.config
  return request.routeConfig
}
