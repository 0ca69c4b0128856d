/**
 * A small load balancer, a process of its own: asks each instance again and again whether it is
 * ready, and sends requests in turn to those that are, over connections that it keeps. It tries
 * nothing twice: a request that fails on its way is 502, one for which no instance is ready 504.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

const checkEveryMs = Number(process.env.BALANCER_CHECK_MS)
/** A busy machine is slow to answer, and no less ready for that. */
const checkWithinMs = 10_000

const instances = (process.env.BALANCER_PORTS ?? '').split(',').map((port) => ({
  port: Number(port),
  isReady: false,
  isAsked: false
}))
const agent = new http.Agent({ keepAlive: true })
let turn = 0

function check(): void {
  for (const instance of instances) {
    const { port, isAsked } = instance
    if (isAsked) continue
    instance.isAsked = true
    const asking = http.get({ port, host: '127.0.0.1', path: '/health/ready', agent: false })
    asking.setTimeout(checkWithinMs, () => asking.destroy())
    asking.on('error', () => {
      instance.isReady = false
    })
    asking.on('close', () => {
      instance.isAsked = false
    })
    asking.on('response', (response) => {
      response.resume()
      instance.isReady = response.statusCode === 200
    })
  }
}

const server = http.createServer((request, response) => {
  const ready = instances.filter(({ isReady }) => isReady)
  turn += 1
  const instance = ready[turn % ready.length]
  const fail = (status: number) => {
    if (response.headersSent) response.destroy()
    else response.writeHead(status, { 'content-length': 0 }).end()
  }
  if (instance === undefined) return fail(504)
  const { method, url, headers } = request
  const passedOn = http.request({
    ...{ agent, host: '127.0.0.1', port: instance.port, path: url, headers },
    ...(method !== undefined && { method })
  })
  passedOn.on('error', () => fail(502))
  passedOn.on('response', (answer) => {
    const { connection: _, 'keep-alive': __, ...rest } = answer.headers
    response.writeHead(answer.statusCode ?? 502, rest)
    answer.on('error', () => fail(502))
    answer.pipe(response)
  })
  request.pipe(passedOn)
})

check()
setInterval(check, checkEveryMs)
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port })
})
process.on('disconnect', () => process.exit(0))
