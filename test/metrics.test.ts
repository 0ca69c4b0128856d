import t from 'tap'
import { findFreePort, testService } from './test-service.ts'

const answered = (route: string, method: string, status: number, count: string) =>
  new RegExp(
    `^http_server_request_duration_seconds_count\\{http_route="${route}",` +
      `http_request_method="${method}",http_response_status_code="${status}"\\} ${count}$`,
    'm'
  )

t.test('metrics are told on a port of their own', async (t) => {
  const metricsPort = await findFreePort()
  const { call, createPayment, pay, until, url, service } = await testService(t, { metricsPort })
  const scrape = async (path = '/metrics', init: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${metricsPort}${path}`, init)
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      text: await response.text()
    }
  }
  const { id } = await createPayment({ reference: 'in-no-metric' })
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  await call('GET', `/v1/payments/${id}`)
  await call('GET', '/v1/nothing/at/all')
  await call('POST', '/webhooks/adyen', { key: null, body: {} })

  t.test('every name is there, with what was done', async (t) => {
    const { status, type, text } = await scrape()
    t.equal(status, 200)
    t.match(type, /^text\/plain/)
    for (const line of [
      answered('/v1/payments', 'POST', 201, '1'),
      answered('/v1/payments/:id', 'GET', 200, '\\d+'),
      answered('none', 'GET', 404, '1'),
      /^provider_call_duration_seconds_count\{operation="sessions",outcome="done"\} 1$/m,
      /^provider_notifications_total\{outcome="accepted"\} 1$/m,
      /^provider_notifications_total\{outcome="refused"\} \d+$/m,
      /^provider_notification_faults_total 0$/m,
      /^background_work_total\{task="apply_notifications"\} 1$/m,
      /^open_items\{kind="discrepancies_open"\} 0$/m,
      /^open_items\{kind="notifications_parked"\} 0$/m,
      /^open_items\{kind="payments_overdue"\} 0$/m,
      /^process_resident_memory_bytes \d+$/m,
      /^nodejs_eventloop_lag_seconds /m
    ]) {
      t.match(text, line)
    }
    t.match(text, /^# TYPE background_work_faults_total counter$/m)
  })

  t.test('no label has an id: their number is bounded', async (t) => {
    const { text } = await scrape()
    t.notMatch(text, id)
    t.notMatch(text, /at\/all|in-no-metric|opk_/)
  })

  t.test('the API does not tell them, and their port tells nothing else', async (t) => {
    t.equal((await fetch(`${url}/metrics`)).status, 404)
    for (const path of ['/', '/v1/payments', '/health/live', '/metrics/x', '/metrics?a=b']) {
      t.equal((await scrape(path)).status, 404, path)
    }
    t.equal((await scrape('/metrics', { method: 'POST' })).status, 404)
  })

  t.test('their port closes with the service', async (t) => {
    await service.close()
    await t.rejects(scrape())
  })
})
