/** A collector of traces: takes OTLP over HTTP, and reads it by the wire format of protobuf. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

type Ids = { traceId: string; spanId: string }

export type ReceivedSpan = Ids & {
  parentId: string
  name: string
  /** 1 internal, 2 server, 3 client. */
  kind: number
  attributes: Record<string, string | number | boolean>
  links: Ids[]
  /** 2 for an error. */
  status: number
  resource: Record<string, string | number | boolean>
}

export async function startCollector(t: Test) {
  const spans: ReceivedSpan[] = []
  const requests: Array<{ path: string | undefined; headers: IncomingHttpHeaders; text: string }> =
    []
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray())
    requests.push({ path: request.url, headers: request.headers, text: body.toString() })
    spans.push(...readRequest(body))
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, spans, requests }
}

/** The values of each field of a message, by its number: bytes as they are, numbers as such. */
type Fields = Map<number, Array<Buffer | number>>

function readFields(bytes: Buffer): Fields {
  const fields: Fields = new Map()
  let at = 0
  const readVarint = () => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] as number
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  const take = (length: number) => {
    at += length
    return bytes.subarray(at - length, at)
  }
  const readers: Record<number, () => Buffer | number> = {
    0: readVarint,
    1: () => take(8),
    2: () => take(readVarint()),
    5: () => take(4)
  }
  while (at < bytes.length) {
    const tag = readVarint()
    const value = readers[tag & 7]?.() as Buffer | number
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value])
  }
  return fields
}

const all = (fields: Fields, field: number) => (fields.get(field) ?? []) as Buffer[]
const messages = (fields: Fields, field: number) => all(fields, field).map(readFields)
const text = (fields: Fields, field: number) => String(all(fields, field)[0] ?? '')
const hex = (fields: Fields, field: number) => all(fields, field)[0]?.toString('hex') ?? ''
const number = (fields: Fields, field: number) => Number(fields.get(field)?.[0] ?? 0)

function readRequest(body: Buffer): ReceivedSpan[] {
  return messages(readFields(body), 1).flatMap((ofResource) => {
    const resource = Object.assign({}, ...messages(ofResource, 1).map((one) => readPairs(one, 1)))
    return messages(ofResource, 2)
      .flatMap((ofScope) => messages(ofScope, 2))
      .map((span) => readSpan(span, resource))
  })
}

/** opentelemetry-proto, trace.proto. */
function readSpan(span: Fields, resource: ReceivedSpan['resource']): ReceivedSpan {
  const [status] = messages(span, 15)
  return {
    ...{ traceId: hex(span, 1), spanId: hex(span, 2), parentId: hex(span, 4) },
    ...{ name: text(span, 5), kind: number(span, 6), attributes: readPairs(span, 9) },
    links: messages(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
    status: status === undefined ? 0 : number(status, 3),
    resource
  }
}

function readPairs(fields: Fields, field: number): ReceivedSpan['attributes'] {
  return Object.fromEntries(
    messages(fields, field).map((pair) => {
      const value = messages(pair, 2)[0] as Fields
      if (value.has(1)) return [text(pair, 1), text(value, 1)]
      if (value.has(2)) return [text(pair, 1), number(value, 2) === 1]
      if (value.has(4)) return [text(pair, 1), all(value, 4)[0]?.readDoubleLE() as number]
      return [text(pair, 1), number(value, 3)]
    })
  )
}
