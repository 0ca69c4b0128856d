/** Who posts to TMF676, and what is answered. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { clientOf } from '../http/auth.plugin.ts'
import { pathOf } from '../http/problems.plugin.ts'
import { traceOf } from '../http/request.plugin.ts'
import type { Context } from '../service-context.ts'
import type { Poster } from './tmf-post.commands.ts'

export function posterOf(
  { publicUrl }: Pick<Context, 'publicUrl'>,
  request: FastifyRequest
): Poster {
  return {
    client: clientOf(request),
    place: { publicUrl, instance: pathOf(request), requestId: request.id },
    trace: traceOf(request)
  }
}

/** 201 for a repetition as well: whoever lost the first answer expects no other. */
export function sendPosted<T extends { href: string }>(
  reply: FastifyReply,
  view: T,
  replayed: boolean
) {
  if (replayed) reply.header('idempotent-replayed', 'true')
  return reply.code(201).header('location', view.href).send(view)
}
