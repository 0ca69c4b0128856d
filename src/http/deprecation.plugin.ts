import type { FastifyInstance } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The operation will end: since when it should not be used, and from when it may be gone. */
    deprecated?: { since: Date; sunset: Date }
  }
}

/**
 * Says on each answer of a deprecated route since when it is (RFC 9745, seconds since 1970), from
 * when it may be gone (RFC 8594), and where one reads what to use instead; and in the document.
 */
export function addDeprecations(app: FastifyInstance, publicUrl: string): void {
  const link = `<${publicUrl}/docs/versions>; rel="deprecation"; type="text/html"`
  app.addHook('onRoute', (route) => {
    const { deprecated } = route.config ?? {}
    if (deprecated === undefined) return
    const deprecation = `@${Math.floor(deprecated.since.getTime() / 1000)}`
    const sunset = deprecated.sunset.toUTCString()
    route.schema = { ...route.schema, deprecated: true }
    route.onSend = [
      async (_, reply) => {
        // A list has a link of its own.
        const links = [reply.getHeader('link') ?? []].flat().concat(link)
        reply.headers({ deprecation, sunset, link: links.join(', ') })
      },
      ...[route.onSend ?? []].flat()
    ]
  })
}
