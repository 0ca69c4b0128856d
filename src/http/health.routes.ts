import { Type } from 'typebox'
import type { Context, Routes } from '../service-context.ts'

type Needs = Pick<Context, 'canWrite' | 'isStarting' | 'isStopping' | 'oauth'>

/** Live: the process answers. Ready: it can do its work; a load balancer asks this one. */
export const healthRoutes: Routes<keyof Needs> = async (app, context) => {
  const Ok = Type.Object({ status: Type.Enum(['ok']) }, { examples: [{ status: 'ok' }] })
  const Ready = Type.Object(
    {
      status: Type.Enum(['ok']),
      warnings: Type.Optional(
        Type.Array(Type.String(), { description: 'What somebody should look at all the same' })
      )
    },
    { examples: [{ status: 'ok' }] }
  )
  const Unavailable = Type.Object(
    { status: Type.Enum(['unavailable']), fault: Type.String({ description: 'Why' }) },
    { examples: [{ status: 'unavailable', fault: 'the database does not answer' }] }
  )
  const tags = ['Health']
  const findFault = createFindFault(context)

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
        description:
          'A load balancer sends requests only while this is 200. Where the issuer of access ' +
          'tokens is away that is a warning: API keys go on working.',
        tags,
        security: [],
        response: { 200: Ready, 503: Unavailable }
      },
      config: { quiet: true, unlimited: true }
    },
    async (_, reply) => {
      const fault = await findFault()
      const warning = context.oauth?.findFault()
      const warned = warning && { warnings: [warning] }
      if (fault === undefined) return { status: 'ok', ...warned } as const
      return reply.code(503).send({ status: 'unavailable', fault })
    }
  )
}

/** What asks whether the service is ready waits no longer than its next question, ms. */
const answerWithinMs = 2_000

/** Probes that come together ask the database once. */
function createFindFault({ canWrite, isStarting, isStopping }: Needs) {
  let asking: Promise<string | undefined> | undefined

  async function ask(): Promise<string | undefined> {
    const silence = new Promise<undefined>((resolve) => {
      setTimeout(() => resolve(undefined), answerWithinMs).unref()
    })
    const writable = await Promise.race([canWrite(), silence]).catch(() => undefined)
    if (writable === undefined) return 'the database does not answer'
    return writable ? undefined : 'the database takes no writes'
  }

  /** Why the service is not ready; undefined where it is. */
  return async () => {
    if (isStopping()) return 'stopping'
    if (isStarting()) return 'starting'
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return await asking
  }
}
