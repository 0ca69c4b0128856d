/** What waits for a person: refunds, discrepancies, and what could not be delivered. */
import { type Client, type Discrepancy, PaymentsError } from '../../clients/typescript/src/index.ts'
import { type Html, html, money, type Part, time, words } from '../html.ts'
import { keepKey, keyField, keyOf } from '../keys.ts'
import { alert, badge, choices, type Fault, facts, field, table } from '../parts.ts'
import type { Reply, Routes, Visit } from '../web.ts'
import type { Feed } from './feed.ts'
import { faultsOf, live, older, page } from './layout.ts'
import { toDiscrepancies, toDisputes, toRefunds } from './trail.ts'

export function workRoutes(api: Client, feed: Feed): Routes {
  return {
    'GET /approvals': (visit) => listApprovals(api, feed, visit),
    'GET /disputes': (visit) => listDisputes(api, visit),
    'GET /discrepancies': (visit) => listDiscrepancies(api, visit),
    'GET /discrepancies/:id': (visit) => showDiscrepancy(api, visit),
    'POST /discrepancies/:id': (visit) => resolve(api, visit),
    'GET /webhooks': (visit) => listDeliveries(api, visit),
    'POST /deliveries/:id/retry': async ({ params }) => {
      await api.post('/v1/deliveries/{id}/retry', { path: { id: params.id ?? '' } })
      return { to: '/webhooks' }
    }
  }
}

/** The feed says which; what stands is asked for. */
async function listApprovals(api: Client, feed: Feed, visit: Visit): Promise<Reply> {
  const found = await Promise.all(
    feed.awaiting(50).map((id) => api.get('/v1/refunds/{id}', { path: { id } }))
  )
  const list = toRefunds('Refunds that wait', found, visit.user, 'No refund waits for an approval.')
  return page(visit, { title: 'Approvals', content: live('list', list), about: '*' })
}

/** What can still be defended, the nearest deadline first; then all, the newest first. */
async function listDisputes(api: Client, visit: Visit): Promise<Reply> {
  const cursor = visit.url.searchParams.get('cursor')
  const defendBefore = new Date(Date.now() + 60 * 24 * 3_600_000).toISOString()
  const [due, all] = await Promise.all([
    api.get('/v1/disputes', { query: { status: 'open', defendBefore, limit: 30 } }),
    api.get('/v1/disputes', { query: { limit: 30, ...(cursor !== null && { cursor }) } })
  ])
  const content = html`${live('due', toDisputes('To be defended', due.data, 'There is none.'))}
${live('all', toDisputes('All disputes', all.data, 'No payment is disputed.'))}
${older(visit, all.nextCursor)}`
  return page(visit, { title: 'Disputes', content, about: '*' })
}

async function listDiscrepancies(api: Client, visit: Visit): Promise<Reply> {
  const cursor = visit.url.searchParams.get('cursor')
  const query = { limit: 30, ...(cursor !== null && { cursor }) }
  const { data, nextCursor } = await api.get('/v1/discrepancies', { query })
  const list = toDiscrepancies('Where two truths disagree', data, 'Everything agrees.')
  const content = html`${live('list', list)}${older(visit, nextCursor)}`
  return page(visit, { title: 'Discrepancies', content, about: '*' })
}

async function showDiscrepancy(
  api: Client,
  visit: Visit,
  faults: readonly Fault[] = []
): Promise<Reply> {
  const found = await api.get('/v1/discrepancies/{id}', { path: { id: visit.params.id ?? '' } })
  const { accountId, paymentId, resolution } = found
  const known = facts([
    ['Status', badge(found.status)],
    ['Here', found.ours],
    ['There', found.theirs],
    ['Since', time(found.createdAt)],
    ['Account', accountId && html`<a href="/accounts/${accountId}">${accountId}</a>`],
    ['Payment', paymentId && html`<a href="/payments/${paymentId}">${paymentId}</a>`],
    ['Resolved', resolution && html`${words(resolution.resolution)}, ${time(resolution.at)}`],
    ['By', resolution?.operator?.id],
    ['Reason', resolution?.reason]
  ])
  const content = html`${alert(faults)}<div class="panel">${known}</div>
${found.status === 'open' && resolveForm(found, visit, faults)}
<h2>Both sides</h2>${toValue(found.details)}`
  return page(visit, { title: words(found.kind), content, faults })
}

/** The members depend on the kind: shown as they come, amounts and fees as money. */
function toValue(value: unknown): Part {
  if (typeof value !== 'object' || value === null) return value === null ? '–' : String(value)
  if ('currency' in value && 'value' in value && typeof value.value === 'number') {
    return money({ currency: String(value.currency), value: value.value })
  }
  const { net, fees } = value as { net?: object; fees?: number }
  // Fees of a line of a report are in the currency of its net.
  const shown = net && fees !== undefined ? { ...value, fees: { ...net, value: fees } } : value
  return facts(Object.entries(shown).map(([name, one]) => [words(name), toValue(one)]))
}

function resolveForm(
  { id, resolutions }: Discrepancy,
  { form }: Visit,
  faults: readonly Fault[]
): Html {
  const options = resolutions.map((value) => ({
    ...{ value, label: words(value), checked: form.get('resolution') === value }
  }))
  const reason = { name: 'reason', label: 'Reason', value: form.get('reason') ?? '', faults }
  return html`<h2>Resolve it</h2><form class="panel" method="post" action="/discrepancies/${id}">
${keyField(form.get('key'))}
${choices('resolution', 'What is done', options, faults)}
${field(reason, html`required maxlength="255" autocomplete="off"`)}<button>Resolve</button></form>`
}

async function resolve(api: Client, visit: Visit): Promise<Reply> {
  const { form, params, user = '' } = visit
  const path = { id: params.id ?? '' }
  const { resolutions } = await api.get('/v1/discrepancies/{id}', { path })
  const resolution = resolutions.find((one) => one === form.get('resolution'))
  if (resolution === undefined) {
    return showDiscrepancy(api, visit, [{ field: 'resolution', text: 'Choose what is done' }])
  }
  try {
    await api.post('/v1/discrepancies/{id}/resolution', {
      ...{ path, idempotencyKey: keyOf(visit) },
      body: {
        // A person decides only on what is offered to persons.
        resolution: resolution as 'acknowledged',
        ...{ reason: form.get('reason') ?? '', operator: { id: user } }
      }
    })
    return { to: `/discrepancies/${path.id}` }
  } catch (error) {
    if (!(error instanceof PaymentsError)) throw error
    keepKey(visit, error)
    return showDiscrepancy(api, visit, faultsOf(error, { '/reason': 'reason' }))
  }
}

async function listDeliveries(api: Client, visit: Visit): Promise<Reply> {
  const { data: endpoints } = await api.get('/v1/webhook-endpoints', { query: { limit: 20 } })
  const parts = await Promise.all(
    endpoints.map(async ({ id, url, status, description, events }) => {
      const asked = { path: { id }, query: { limit: 10 } }
      const { data } = await api.get('/v1/webhook-endpoints/{id}/deliveries', asked)
      const rows = data.map(({ id, event, status, attemptCount, deliveredAt, nextAttemptAt }) => [
        words(event.type),
        badge(status),
        event.paymentId && html`<a href="/payments/${event.paymentId}">${event.paymentId}</a>`,
        attemptCount,
        time(deliveredAt ?? nextAttemptAt),
        status !== 'delivered' &&
          html`<form method="post" action="/deliveries/${id}/retry">
<button class="plain">Send it again<span class="away">: ${event.type}</span></button></form>`
      ])
      const names = ['Event', 'Status', 'Payment', '#Tries', 'Delivered, or next try', '']
      const list = table(description ?? url, names, rows, 'Nothing was sent yet.')
      const about = html`<p class="hint under">${badge(status)} ${url}, ${events.join(', ')}</p>`
      return live(id, html`${list}${about}`)
    })
  )
  const none = html`<p class="empty">There is no webhook endpoint.</p>`
  const content = parts.length > 0 ? parts : none
  return page(visit, { title: 'Webhooks', content, about: '*' })
}
