/** Spans of calls by HTTP, whoever makes them: undici tells of each. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { currentSpan, type Span } from './span.ts'

/** What undici hands over, which is the same object for all that happens to a call. */
type Request = { origin: string | URL; method: string }
type Message = { request: Request; response: { statusCode: number }; error: Error }

/**
 * Begins to trace them, where they are a part of something that is traced; answers how it ends. Of
 * the URL only the host: paths and queries name customers, cards and secrets.
 */
export function watchOutgoing(): () => void {
  const underWay = new WeakMap<Request, Span>()
  const listeners: Readonly<Record<string, (message: Message) => void>> = {
    create({ request }) {
      const { hostname, port, protocol } = new URL(request.origin)
      const span = currentSpan()?.begin(request.method, {
        isCall: true,
        attributes: {
          'http.request.method': request.method,
          'server.address': hostname,
          'server.port': Number(port || (protocol === 'https:' ? 443 : 80))
        }
      })
      if (span !== undefined) underWay.set(request, span)
    },
    headers({ request, response }) {
      underWay.get(request)?.set({ 'http.response.status_code': response.statusCode })
    },
    trailers: ({ request }) => underWay.get(request)?.end(),
    error: ({ request, error }) => underWay.get(request)?.end(error)
  }
  const channels = Object.entries(listeners).map(
    ([name, listener]) =>
      [`undici:request:${name}`, (all: unknown) => listener(all as Message)] as const
  )
  for (const [name, listener] of channels) subscribe(name, listener)
  return () => {
    for (const [name, listener] of channels) unsubscribe(name, listener)
  }
}
