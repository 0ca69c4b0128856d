/**
 * Where customers return to in the sandbox, for a client that has no page of its own yet: it asks
 * the API for the payment, as a shop would, and says what to do next.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { escapeHtml, pageHeaders, toPage } from '../src/html.ts'
import { type Shown, toOutcomePage, toReturnPage } from '../src/payments/return-page.ts'

type Shop = { url: string; close(): Promise<void> }
type ShopOptions = {
  host: string
  port: number
  apiUrl: string
  key: string
  merchantName: string
}

const locale = { language: 'en', tag: 'en-GB' } as const
/** For so long a payment that just ended may still be pending; s. */
const waitS = 2

/** `port` 0 takes any free one. The key stays here: any program of this machine may read pages. */
export async function startShop(options: ShopOptions): Promise<Shop> {
  const { host, port } = options
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://shop')
    const page = pathname === '/' ? await toShopPage(options, searchParams) : undefined
    response.writeHead(page === undefined ? 404 : 200, pageHeaders)
    response.end(page ?? toOutcomePage('unknown', locale))
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

async function toShopPage(options: ShopOptions, query: URLSearchParams): Promise<string> {
  const [id, registrationId] = [query.get('paymentId'), query.get('registrationId')]
  if (id === null) return toOtherPage(options, registrationId)
  const payment = await findPayment(options, id)
  if (payment === undefined) return toOutcomePage('unavailable', locale, next(options, []))
  const commands = [
    ['The payment, and what happened to it', `/v1/payments/${payment.id}`],
    ['', `/v1/payments/${payment.id}/events`],
    ['What the account owes', `/v1/accounts/${payment.accountId}`]
  ] as const
  return toReturnPage(payment, options.merchantName, locale, next(options, commands))
}

function toOtherPage(options: ShopOptions, registrationId: string | null): string {
  const what =
    registrationId === null
      ? ['Customers return here', 'Name this page as the returnUrl of a payment.']
      : ['Back from registering a card', 'That the customer is back proves nothing: ask the API.']
  const [title = '', text = ''] = what
  const cards = [['The cards of an account', '/v1/accounts/10000001/cards']] as const
  const commands = registrationId === null ? [] : cards
  return toPage('en', title, `<p>${escapeHtml(text)}</p>${next(options, commands)}`)
}

type Found = Shown & { id: string; accountId: string }

/** Undefined where the API does not answer, or has no such payment. */
async function findPayment({ apiUrl, key }: ShopOptions, id: string): Promise<Found | undefined> {
  try {
    const answer = await fetch(`${apiUrl}/v1/payments/${encodeURIComponent(id)}`, {
      headers: { authorization: `Bearer ${key}`, prefer: `wait=${waitS}` },
      signal: AbortSignal.timeout((waitS + 2) * 1000)
    })
    return answer.ok ? ((await answer.json()) as Found) : undefined
  } catch {
    return undefined
  }
}

type Command = readonly [comment: string, path: string]

function next({ apiUrl }: ShopOptions, commands: readonly Command[]): string {
  const lines = commands.map(([comment, path]) => {
    const curl = `curl -sS -H "Authorization: Bearer $KEY" ${apiUrl}${path}; echo`
    return comment === '' ? curl : `\n# ${comment}\n${curl}`
  })
  const shell = ['KEY=opk_…  # the API key that npm start printed', ...lines].join('\n')
  const block = commands.length === 0 ? '' : `<pre><code>${escapeHtml(shell)}</code></pre>`
  return `
<h2>What to do next</h2>
<p>This page belongs to the sandbox: it stands for the page of a shop that customers return to. It
asked the API for the payment, since the address that the browser came with proves nothing.</p>
${block}
<p>Documentation: <a href="${apiUrl}/docs">${apiUrl}/docs</a></p>`
}
