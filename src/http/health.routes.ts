import { Type } from 'typebox'
import type { Context, Routes } from '../service-context.ts'

/** Live: the process answers. Ready: it can do its work; a load balancer asks this one. */
export const healthRoutes: Routes<'db' | 'isStopping'> = async (app, context) => {
  const Ok = Type.Object({ status: Type.Enum(['ok']) }, { examples: [{ status: 'ok' }] })
  const Unavailable = Type.Object(
    { status: Type.Enum(['unavailable']), fault: Type.String({ description: 'Why' }) },
    { examples: [{ status: 'unavailable', fault: 'the database does not answer' }] }
  )
  const tags = ['Health']

  app.get(
    '/health/live',
    {
      schema: {
        operationId: 'getLiveness',
        summary: 'Whether the process answers',
        description: 'Nothing else is looked at: restart the process where it does not.',
        tags,
        security: [],
        response: { 200: Ok }
      },
      config: { quiet: true, unlimited: true }
    },
    async () => ({ status: 'ok' }) as const
  )

  app.get(
    '/health/ready',
    {
      schema: {
        operationId: 'getReadiness',
        summary: 'Whether the service can do its work',
        description: 'A load balancer sends requests only while this is 200.',
        tags,
        security: [],
        response: { 200: Ok, 503: Unavailable }
      },
      config: { quiet: true, unlimited: true }
    },
    async (_, reply) => {
      const fault = await findFault(context)
      if (fault === undefined) return { status: 'ok' } as const
      return reply.code(503).send({ status: 'unavailable', fault })
    }
  )
}

/** Why the service is not ready; undefined where it is. */
async function findFault({ db, isStopping }: Pick<Context, 'db' | 'isStopping'>) {
  if (isStopping()) return 'stopping'
  try {
    await db.selectNoFrom((e) => e.lit(1).as('one')).execute()
    return undefined
  } catch {
    return 'the database does not answer'
  }
}
