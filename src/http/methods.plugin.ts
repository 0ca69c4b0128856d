import type { FastifyInstance } from 'fastify'
import { Problem } from '../problem.ts'
import { pathOf } from './problems.plugin.ts'

/**
 * Answers what no route takes: 405 with `Allow` where the path has other methods, 204 to OPTIONS
 * there, else 404. All of it before a key is asked for, since the OpenAPI document is public and
 * says the same; and before a body is read. Must come after the hooks that apply to every request.
 */
export function addMethods(app: FastifyInstance): void {
  const routes: Array<{ url: string; methods: readonly string[] }> = []
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ url, methods: [method].flat() })
  })
  const allowedAt = (path: string) => {
    const met = routes.filter(({ url }) => hasPath(url, path))
    return [...new Set(met.flatMap(({ methods }) => methods))].sort()
  }

  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done()
    const methods = allowedAt(decode(pathOf(request)))
    if (methods.length === 0) throw notFound()
    reply.header('allow', [...methods, 'OPTIONS'].join(', '))
    if (request.method === 'OPTIONS') {
      reply.code(204).send()
      return
    }
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

/** Whether a route has the path, as Fastify writes it: `/return/:id(^reg_.*)`, `/docs/*`. */
function hasPath(url: string, path: string): boolean {
  const wanted = url.split('/')
  const given = path.split('/')
  const isRest = wanted.at(-1) === '*'
  if (isRest ? given.length < wanted.length : given.length !== wanted.length) return false
  return wanted.every((part, at) => {
    if (part === '*') return true
    return part.startsWith(':') ? given[at] !== '' : part === given[at]
  })
}
