import http from 'node:http'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type Metrics = ReturnType<typeof createMetrics>

/** What is measured, by Prometheus' names; amounts of time are seconds. */
export function createMetrics() {
  const registers = [new Registry()]
  collectDefaultMetrics({ register: registers[0] as Registry })
  const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
  return {
    registry: registers[0] as Registry,
    requests: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Requests answered, by route, method and status',
      labelNames: ['route', 'method', 'status'],
      buckets,
      registers
    }),
    providerCalls: new Histogram({
      name: 'provider_call_duration_seconds',
      help: 'Calls to the payment provider, by operation and outcome',
      labelNames: ['operation', 'outcome'],
      buckets,
      registers
    }),
    notifications: new Counter({
      name: 'provider_notifications_total',
      help: 'Items that came to the webhook: accepted, or refused as not signed by our keys',
      labelNames: ['outcome'],
      registers
    }),
    notificationFaults: new Counter({
      name: 'provider_notification_faults_total',
      help: 'Tries to apply a notification that failed',
      registers
    }),
    webhooks: new Counter({
      name: 'webhook_deliveries_total',
      help: 'Attempts to deliver an event to a webhook endpoint, and deliveries that were given up',
      labelNames: ['outcome'],
      registers
    }),
    work: new Counter({
      name: 'background_work_total',
      help: 'Units of background work done, by task',
      labelNames: ['task'],
      registers
    }),
    itemFaults: new Counter({
      name: 'background_item_faults_total',
      help: 'Items of background work that failed while the others went on, by task',
      labelNames: ['task'],
      registers
    }),
    workFaults: new Counter({
      name: 'background_work_faults_total',
      help: 'Rounds of background work that failed, by task',
      labelNames: ['task'],
      registers
    }),
    open: new Gauge({
      name: 'open_items',
      help: 'Rows that wait for somebody, by kind, as last counted',
      labelNames: ['kind'],
      registers
    })
  }
}

/** Prometheus scrapes a port of its own, which is never public. */
export function createMetricsServer({ registry }: Metrics): http.Server {
  return http.createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end()
    )
  })
}
