/** A small web server for pages: forms are safe from other sites, and no page is stored. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Html } from './html.ts'

export type Visit = {
  url: URL
  /** What the address says, by the names in the route. */
  params: Readonly<Record<string, string>>
  form: URLSearchParams
  /** What the cookie holds: who is signed in. */
  user: string | undefined
  /** Aborted when the browser has gone. */
  signal: AbortSignal
  response: ServerResponse
}
/** A page; a way on, with another user signed in or (null) none; or what answered by itself. */
export type Page = { page: Html; status: number }
export type Reply = Page | { to: string; user?: string | null } | 'answered'
export type Routes = Readonly<Record<string, (visit: Visit) => Promise<Reply> | Reply>>
type Site = {
  host: string
  port: number
  name: string
  /** Beside this file, served by their last names. */
  files: readonly string[]
  routes: Routes
  onFault(error: unknown, visit: Visit): Reply
}

const largestForm = 10_000
const headers = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff'
}

/** `port` 0 takes any free one. `routes` are named `GET /payments/:id`. */
export async function startSite({ host, port, name, files, routes, onFault }: Site) {
  const fixed = await Promise.all(
    files.map(async (path) => {
      const type = path.endsWith('.css') ? 'text/css' : 'text/javascript'
      return { path, type, content: await readFile(new URL(path, import.meta.url)) }
    })
  )
  const patterns = Object.entries(routes).map(([route, handler]) => {
    const [method = '', pathname = ''] = route.split(' ')
    return { method, pattern: new URLPattern({ pathname }), handler }
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'localhost'}`)
    // A name that leads here from elsewhere is another site's, whatever it says of itself.
    if (![host, '127.0.0.1', 'localhost'].includes(url.hostname)) {
      return sendText(response, 421, 'This site has another name.')
    }
    const file = fixed.find(({ path }) => url.pathname === `/${path.split('/').at(-1)}`)
    if (file !== undefined) {
      response.writeHead(200, { ...headers, 'content-type': file.type }).end(file.content)
      return
    }
    const method = request.method === 'HEAD' ? 'GET' : request.method
    const found = patterns.find((one) => one.method === method && one.pattern.test(url.href))
    if (found === undefined) return sendText(response, 404, 'There is nothing here.')
    if (method === 'POST' && !isOwn(request)) {
      return sendText(response, 403, 'This form came from another site.')
    }
    const form = method === 'POST' ? await readForm(request) : new URLSearchParams()
    if (form === undefined) return sendText(response, 413, 'That is too long.')
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const params = found.pattern.exec(url.href)?.pathname.groups as Record<string, string>
    const user = readCookie(request, name)
    const visit = { url, params, form, user, signal: gone.signal, response }
    try {
      send(response, name, await found.handler(visit))
    } catch (error) {
      if (!gone.signal.aborted) send(response, name, onFault(error, visit))
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  server.listen(port, host)
  await once(server, 'listening')
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    }
  }
}

/** Browsers say where a form comes from, by one of these or both. */
function isOwn({ headers: { origin, host, 'sec-fetch-site': site } }: IncomingMessage): boolean {
  if (site !== undefined) return site === 'same-origin'
  return origin !== undefined && URL.parse(origin)?.host === host
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  let text = ''
  request.setEncoding('utf8')
  for await (const piece of request) {
    text += piece
    if (text.length > largestForm) return undefined
  }
  return new URLSearchParams(text)
}

function readCookie({ headers: { cookie = '' } }: IncomingMessage, name: string) {
  const pair = cookie.split(/; */).find((one) => one.startsWith(`${name}=`))
  return pair && Buffer.from(pair.slice(name.length + 1), 'base64url').toString()
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8' }).end(text)
}

function send(response: ServerResponse, name: string, reply: Reply): void {
  if (reply === 'answered') return
  if ('page' in reply) {
    const type = { 'content-type': 'text/html; charset=utf-8' }
    response.writeHead(reply.status, { ...headers, ...type }).end(reply.page.html)
    return
  }
  const { to, user } = reply
  const value = Buffer.from(user ?? '').toString('base64url')
  const end = user === null ? '; Max-Age=0' : ''
  const cookie = `${name}=${value}; Path=/; HttpOnly; SameSite=Lax${end}`
  response.writeHead(303, {
    ...headers,
    location: to,
    ...(user !== undefined && { 'set-cookie': cookie })
  })
  response.end()
}
