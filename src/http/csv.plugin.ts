/** Lists as CSV (RFC 4180), for spreadsheets: streamed, whatever their length. */
import { Readable } from 'node:stream'
import { stringify } from 'csv-stringify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Negotiator from 'negotiator'
import { Problem } from '../problem.ts'
import type { Cell, Columns } from './columns.ts'
import {
  type Find,
  type GrowingPage,
  type ListRequest,
  type Order,
  type Page,
  readCursor,
  sendPage,
  toGrowingPage
} from './cursor.ts'
import { configOf } from './route-config.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The columns of the CSV that a GET offers besides JSON. */
    csv?: Columns<never>
    /** Whether a GET offers a page for people besides JSON. */
    page?: boolean
  }
}

const json = 'application/json'
const csv = 'text/csv'
const html = 'text/html'

function offeredBy(request: FastifyRequest): string[] {
  const config = configOf(request)
  return [json, ...(config.csv === undefined ? [] : [csv]), ...(config.page ? [html] : [])]
}

/** 406 where a caller takes nothing that the route offers (RFC 9110, 12.5.1). */
export function addNegotiation(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _, done) => {
    if (configOf(request).scope === undefined || chosenOf(request) !== undefined) return done()
    const offered = offeredBy(request).join(' and ')
    throw new Problem('not_acceptable', `This request can be answered with ${offered}.`)
  })
}

/** Of a GET; a HEAD would be sent none of it. */
function chosenOf(request: FastifyRequest): string | undefined {
  const { accept = json } = request.headers
  if (request.method !== 'GET' || accept === json || accept === '*/*') return json
  return new Negotiator(request.raw).mediaType(offeredBy(request))
}

/** Whether the caller would rather have a page, of a route that offers one. */
export function wantsPage(request: FastifyRequest): boolean {
  return chosenOf(request) === html
}

/** After what is not seen; `escape_formulas` knows only what stands first, tabs among them. */
const isHiddenFormula =
  /^(?:\n|(?![\t\r])[\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]+[=+\-@＝＋－＠])/u

/** Rows that are read from the database at once. */
const rowsAtOnce = 500

/** A page of a list, or as CSV all of it from the cursor on: `limit` is the size of a page. */
export async function sendList<T, V>(
  request: FastifyRequest & ListRequest,
  reply: FastifyReply,
  find: Find<T>,
  toView: (item: T) => V,
  order: Order<NoInfer<T>>,
  columns: Columns<NoInfer<V>>
): Promise<Page<V>> {
  if (chosenOf(request) !== csv) return await sendPage(request, reply, find, toView, order)
  const first = readCursor(request.query.cursor, order.pattern)
  return await sendCsv(reply, columns, () => readAll(find, toView, order, first))
}

/** The same of a list that only grows, after a position. */
export async function sendGrowing<T extends { position: number }, V>(
  request: FastifyRequest,
  reply: FastifyReply,
  find: (after: number, limit: number) => Promise<readonly T[]>,
  toView: (item: T) => V,
  { after, limit }: { after: number; limit: number },
  columns: Columns<NoInfer<V>>
): Promise<GrowingPage<V>> {
  if (chosenOf(request) !== csv) return toGrowingPage(await find(after, limit), after, toView)
  const findNext: Find<T> = (position, limit) => find(Number(position), limit)
  const order = { positionOf: ({ position }: T) => String(position) }
  return await sendCsv(reply, columns, () => readAll(findNext, toView, order, String(after)))
}

async function* readAll<T, V>(
  find: Find<T>,
  toView: (item: T) => V,
  { positionOf }: Pick<Order<T>, 'positionOf'>,
  first: string | null
): AsyncGenerator<V> {
  for (let after = first; ; ) {
    const found = await find(after, rowsAtOnce)
    yield* found.map(toView)
    const last = found.at(-1)
    if (last === undefined || found.length < rowsAtOnce) return
    after = positionOf(last)
  }
}

/** What is no list: JSON as it is, or its rows as CSV. */
export async function sendTable<V, Row>(
  request: FastifyRequest,
  reply: FastifyReply,
  view: V,
  columns: Columns<Row>,
  toRows: (view: V) => Iterable<Row> | AsyncIterable<Row>
): Promise<V> {
  if (chosenOf(request) !== csv) return view
  return await sendCsv(reply, columns, () => toRows(view))
}

/**
 * The rows as they are read: no more are held than a reader is behind. A fault before the first row
 * is answered as any other; one after it breaks the answer off.
 */
async function sendCsv<Row, Answer>(
  reply: FastifyReply,
  columns: Columns<Row>,
  read: () => Iterable<Row> | AsyncIterable<Row>
): Promise<Answer> {
  const cells = Object.values(columns)
  async function* records(): AsyncGenerator<Cell[]> {
    for await (const row of read()) yield cells.map((cell) => cell(row))
  }
  const rows = records()
  const first = await rows.next()
  async function* all() {
    if (!first.done) yield first.value
    yield* rows
  }
  const source = Readable.from(all())
  const stream = stringify({
    header: true,
    columns: Object.keys(columns),
    record_delimiter: 'windows',
    // A cell that a spreadsheet would take for a formula gets an apostrophe; numbers stay.
    escape_formulas: true,
    cast: { boolean: String, string: (text) => (isHiddenFormula.test(text) ? `'${text}` : text) }
  })
  source.once('error', (error) => stream.destroy(error))
  stream.once('close', () => source.destroy())
  reply.header('content-disposition', 'attachment').header('vary', 'accept')
  reply.type('text/csv; charset=utf-8; header=present').send(source.pipe(stream))
  // It is answered: what a handler returns besides is not sent.
  return reply as unknown as Answer
}
