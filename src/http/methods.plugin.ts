import type { FastifyInstance } from 'fastify'
import { Problem } from '../problem.ts'
import { pathOf } from './problems.plugin.ts'

/**
 * Answers what no route takes: 405 with `Allow` where the path has other methods, 204 to OPTIONS
 * there, else 404. All of it before a key is asked for, since the OpenAPI document is public and
 * says the same; and before a body is read. Must come after the hooks that apply to every request.
 */
export function addMethods(app: FastifyInstance): void {
  const methodsByUrl = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    const known = methodsByUrl.get(url) ?? { pattern: toPattern(url), methods: new Set() }
    for (const one of [method].flat()) known.methods.add(one)
    methodsByUrl.set(url, known)
  })
  const allowedAt = (path: string) => {
    const met = [...methodsByUrl.values()].filter(({ pattern }) => pattern.test(path))
    return [...new Set(met.flatMap(({ methods }) => [...methods]))].sort()
  }

  app.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return
    const methods = allowedAt(decode(pathOf(request)))
    if (methods.length === 0) throw notFound()
    reply.header('allow', [...methods, 'OPTIONS'].join(', '))
    if (request.method === 'OPTIONS') return reply.code(204).send()
    const detail = `This path takes ${methods.join(', ')}, not ${request.method}.`
    throw new Problem('method_not_allowed', detail)
  })
  // For what a route does not find, such as a file.
  app.setNotFoundHandler(() => {
    throw notFound()
  })
}

function notFound(): Problem {
  return new Problem('not_found', 'Nothing is at this path.')
}

/** As the router reads it: what is encoded of `/` and the like stays so. */
function decode(path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}

/** The paths that a route has, as Fastify writes it: `/return/:id(^reg_.*)`, `/docs/*`. */
function toPattern(url: string): RegExp {
  const source = url
    .replace(/\([^)]*\)/g, '')
    .replace(/[.+?^${}|[\]\\]/g, '\\$&')
    .replace(/:\w+/g, '[^/]+')
    .replace('*', '.*')
  return new RegExp(`^${source}$`)
}
