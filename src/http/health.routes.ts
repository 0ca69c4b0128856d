import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'

export type HealthDeps = {
  /** Why the service is not ready; undefined where it is. */
  findFault: () => Promise<string | undefined>
}

/** Live: the process answers. Ready: it can do its work; a load balancer asks this one. */
export const healthRoutes: FastifyPluginAsyncTypebox<HealthDeps> = async (app, { findFault }) => {
  const Live = Type.Object({ status: Type.Enum(['ok']) }, { examples: [{ status: 'ok' }] })
  const Ready = Type.Object({ status: Type.Enum(['ok']) }, { examples: [{ status: 'ok' }] })
  const Unavailable = Type.Object(
    { status: Type.Enum(['unavailable']), fault: Type.String() },
    { examples: [{ status: 'unavailable', fault: 'the database does not answer' }] }
  )
  const tags = ['Health']

  app.get(
    '/health/live',
    {
      schema: {
        operationId: 'getLiveness',
        summary: 'Whether the process answers',
        tags,
        security: [],
        response: { 200: Live }
      },
      config: { quiet: true }
    },
    async () => ({ status: 'ok' }) as const
  )

  app.get(
    '/health/ready',
    {
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether the service can do its work',
        tags,
        security: [],
        response: { 200: Ready, 503: Unavailable }
      },
      config: { quiet: true }
    },
    async (_, reply) => {
      const fault = await findFault()
      if (fault === undefined) return { status: 'ok' } as const
      return reply.code(503).send({ status: 'unavailable', fault })
    }
  )
}
