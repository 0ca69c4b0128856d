/**
 * A contact centre's screen: an example of what can be built on the public API. It keeps nothing
 * that the feed does not tell it again, and its key stays here.
 */
import { type Client, PaymentsError } from '../../clients/typescript/src/index.ts'
import { connect } from '../connect.ts'
import { html } from '../html.ts'
import { alert, field } from '../parts.ts'
import { type Reply, type Routes, startSite, type Visit } from '../web.ts'
import { accountRoutes } from './accounts.ts'
import { openFeed } from './feed.ts'
import { faultsOf, page } from './layout.ts'
import { paymentRoutes } from './operations.ts'
import { wizardRoutes } from './wizard.ts'
import { workRoutes } from './work.ts'

/** `port` 0 takes any free one. */
type Options = { host?: string; port: number; api: Client }

export async function startDesk({ host = '127.0.0.1', port, api }: Options) {
  const feed = await openFeed(api)
  const routes = signedIn({
    ...accountRoutes(api),
    ...wizardRoutes(api),
    ...paymentRoutes(api),
    ...workRoutes(api, feed),
    'GET /live': feed.listen
  })
  const site = await startSite({
    ...{ host, port, name: 'desk', files: ['style.css', 'desk/live.js'], onFault },
    routes: { ...routes, ...signInRoutes }
  })
  return {
    url: site.url,
    async close() {
      await feed.close()
      await site.close()
    }
  }
}

/** Whoever is not signed in is asked to, and led on to where they wanted to go. */
function signedIn(routes: Routes): Routes {
  const guarded = Object.entries(routes).map(([route, handler]) => [
    route,
    (visit: Visit) =>
      visit.user
        ? handler(visit)
        : { to: `/sign-in?to=${encodeURIComponent(visit.url.pathname + visit.url.search)}` }
  ])
  return Object.fromEntries(guarded)
}

/** Beside the longest reason it has room in the 255 characters of a cancellation's. */
const longestName = 50

const signInRoutes: Routes = {
  'GET /sign-in': (visit) => showSignIn(visit, visit.url.searchParams.get('to') ?? '/'),
  'POST /sign-in': (visit) => {
    const [name, to] = [visit.form.get('name')?.trim(), visit.form.get('to') ?? '/']
    if (!name) return showSignIn(visit, to, true)
    return { to: withinDesk(to, visit.url), user: name.slice(0, longestName) }
  },
  'POST /sign-out': () => ({ to: '/sign-in', user: null })
}

/** No address of another site, however it is written: read as a browser reads it. */
function withinDesk(to: string, { origin }: URL): string {
  const place = URL.parse(to, origin)
  return place?.origin === origin ? place.pathname.replace(/^\/+/, '/') + place.search : '/'
}

function showSignIn(visit: Visit, to: string, isFault = false): Reply {
  const faults = isFault ? [{ field: 'name', text: 'Type your name' }] : []
  const hint = 'An example: the name is believed. A refund needs two names.'
  const content = html`${alert(faults)}<form class="panel" method="post" action="/sign-in">
<input type="hidden" name="to" value="${to}">
${field(
  { name: 'name', label: 'Your name', hint, faults },
  html`required maxlength="${longestName}" autocomplete="username"`
)}
<button>Sign in</button></form>`
  return page(visit, { title: 'Sign in', content, faults })
}

function onFault(error: unknown, visit: Visit): Reply {
  const isKnown = error instanceof PaymentsError
  if (!isKnown) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  const faults = isKnown ? faultsOf(error) : [{ text: 'The desk has a fault. Try again.' }]
  const status = isKnown && error.status !== undefined ? error.status : 502
  const content = html`${alert(faults)}<p><a href="/">To the payments</a></p>`
  const title = status === 404 ? 'Not found' : 'Not now'
  return { ...page(visit, { title, content }), status }
}

/** By itself, beside the sandbox. */
if (import.meta.main) {
  const port = Number(process.env.DESK_PORT ?? 3003)
  console.log((await startDesk({ port, api: await connect(process.env) })).url)
}
