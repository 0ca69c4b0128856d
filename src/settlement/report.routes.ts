import type { FastifyRequest } from 'fastify'
import { notUtf8 } from '../http/body.plugin.ts'
import { IdParams, ref } from '../http/common.schema.ts'
import { byId, sendPage } from '../http/cursor.ts'
import { buildValidator } from '../http/validation.plugin.ts'
import { found, Problem } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { receiveReport } from './report.commands.ts'
import {
  ListReportsQuery,
  ReportFile,
  ReportPage,
  ReportSchema,
  UploadQuery
} from './report.schema.ts'
import { findReport, type ListedReport, listReports } from './report.store.ts'

export const reportRoutes: Routes<'db' | 'reads' | 'wake'> = async (app, deps) => {
  const { reads } = deps
  await app.register(uploadRoute, deps)

  app.get(
    '/v1/settlement-reports',
    {
      schema: {
        operationId: 'listSettlementReports',
        summary: 'List settlement reports',
        description: 'Those that were uploaded, and those that the payment provider announced.',
        tags: ['Settlement'],
        querystring: ListReportsQuery,
        response: { 200: ReportPage }
      },
      config: { scope: 'reconciliation:read', problems: [] }
    },
    async (request, reply) => {
      const { status } = request.query
      const find = (before: string | null, limit: number) =>
        listReports(reads, { status, before, limit })
      return await sendPage(request, reply, find, toReportView, byId)
    }
  )

  app.get(
    '/v1/settlement-reports/:id',
    {
      schema: {
        operationId: 'getSettlementReport',
        summary: 'Get a settlement report',
        description: 'With how far it was read.',
        tags: ['Settlement'],
        params: IdParams,
        response: { 200: ref(ReportSchema) }
      },
      config: { scope: 'reconciliation:read', problems: ['report_not_found'], etag: true }
    },
    async (request) => {
      const report = await findReport(reads, request.params.id)
      return toReportView(found(report, 'report_not_found', 'No settlement report has this id.'))
    }
  )
}

/** By itself, since no other route takes what is not JSON. */
const uploadRoute: Routes<'db' | 'wake'> = async (app, deps) => {
  const compile = buildValidator({})
  // The file stays in the connection until it is read there; it is not a body to be looked into.
  app.addContentTypeParser('text/csv', (_request, _payload, done) => done(null, undefined))

  app.post<{ Querystring: { fileName?: string } }>(
    '/v1/settlement-reports',
    {
      schema: {
        operationId: 'uploadSettlementReport',
        summary: 'Upload a settlement report',
        description:
          'Taken as a stream and read in the background. The report is its own key, so no ' +
          'Idempotency-Key is needed: the same content again answers 200 with the first one, and ' +
          'the same batch in another file changes nothing. One that is cut off is refused whole.',
        tags: ['Settlement'],
        querystring: UploadQuery,
        body: ReportFile,
        response: { 200: ref(ReportSchema), 202: ref(ReportSchema) }
      },
      validatorCompiler: (part) => (part.httpPart === 'body' ? () => true : compile(part)),
      config: { scope: 'reconciliation:write', problems: [], longBody: true }
    },
    async (request, reply) => {
      const { report, isNew } = await receiveReport(
        deps,
        contentOf(request),
        request.query.fileName ?? null
      )
      return reply.code(isNew ? 202 : 200).send(toReportView(report))
    }
  )
}

/** The file as it comes; without a content type there is none, and the report is empty. */
function contentOf(request: FastifyRequest): AsyncIterable<Uint8Array> {
  if (request.body !== undefined) {
    throw new Problem('content_type_unsupported', 'A settlement report is text/csv.')
  }
  return onlyUtf8(request.raw)
}

/** Passes on what is UTF-8: what no one can read is not kept. */
async function* onlyUtf8(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const read = (part?: Uint8Array) => {
    try {
      decoder.decode(part, { stream: part !== undefined })
    } catch {
      throw notUtf8()
    }
  }
  for await (const part of content) {
    read(part)
    yield part
  }
  read()
}

/** As the API shows it. */
export function toReportView(report: ListedReport) {
  const { id, status, kind, origin, lines, applied, matched, discrepancies, fault } = report
  return {
    ...{ id, status, kind, origin, fileName: report.file_name },
    ...{ lines, applied, matched, discrepancies, unknownTypes: report.unknown_types },
    ...{ uncheckedBatches: report.unchecked_batches, unknownZones: report.unknown_zones, fault },
    createdAt: report.created_at.toISOString(),
    finishedAt: report.finished_at?.toISOString() ?? null
  }
}
