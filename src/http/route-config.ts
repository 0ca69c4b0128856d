import type { FastifyContextConfig, FastifyInstance, FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyRequest {
    routeConfig: FastifyContextConfig | null
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

export function addRouteConfig(app: FastifyInstance): void {
  app.decorateRequest('routeConfig', null)
}
