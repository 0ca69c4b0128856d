import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Span, type Tracer, within } from './span.ts'

/**
 * A span for every request but probes. It is named by its route: paths and queries have numbers of
 * accounts, and what customers bring from a page.
 */
export function addTraces(app: FastifyInstance, tracer: Tracer): void {
  const spans = new WeakMap<FastifyRequest, Span>()
  app.addHook('onRequest', (request, _, done) => {
    const { method, protocol, headers, routeOptions } = request
    const { url: route, config } = routeOptions
    if (config?.quiet) return done()
    const attributes = { 'http.request.method': method, 'url.scheme': protocol }
    const named = route === undefined ? attributes : { ...attributes, 'http.route': route }
    const span = tracer.beginRequest(route ? `${method} ${route}` : method, named, headers)
    spans.set(request, span)
    within(span, done)
  })
  // The body was read, and a turn was waited for, outside of it.
  app.addHook('preHandler', (request, _, done) => within(spans.get(request), done))
  app.addHook('onResponse', (request, reply, done) => {
    const span = spans.get(request)
    if (span === undefined) return done()
    for (const id of Object.values(request.params ?? {})) span.about(String(id))
    const { statusCode } = reply
    span.set({ 'http.response.status_code': statusCode, 'client.id': request.client?.id })
    span.end(statusCode >= 500 ? { code: statusCode } : undefined)
    within(span, done)
  })
}
