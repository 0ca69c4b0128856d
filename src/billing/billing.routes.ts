import { Type } from 'typebox'
import { located, PageQuery, ref } from '../http/common.schema.ts'
import { byId, sendPage } from '../http/cursor.ts'
import { claimOf, sendSaved } from '../http/idempotency.plugin.ts'
import { found } from '../problem.ts'
import type { Routes } from '../service-context.ts'
import { acknowledgeFile, makeFile, rejectDetails } from './billing.commands.ts'
import {
  AcknowledgeFile,
  BillingFilePage,
  BillingFileSchema,
  FileParams,
  MakeFile,
  RejectDetails,
  type RejectedDetailBody,
  UploadSchema
} from './billing.schema.ts'
import { type CountedFile, findContent, findFile, listFiles } from './billing.store.ts'
import { type Rejection, type TransactionType, toFileView } from './billing.ts'

/** Files for a billing system that reads no feed, and what it sends back. */
export const billingRoutes: Routes<'db' | 'reads' | 'providerName'> = async (app, deps) => {
  app.post(
    '/v1/billing-files',
    {
      schema: {
        operationId: 'makeBillingFile',
        summary: 'Make a file of the postings that are in none',
        description:
          'In the shape of CMP’s "Non Recurring Payments": the open postings of one currency ' +
          'and one direction, oldest first, at most 5,000. Each posting is in one file only. ' +
          'What is more is for the next file: make files until one holds fewer.',
        tags: ['Postings'],
        body: MakeFile,
        response: { 201: located(ref(BillingFileSchema)) }
      },
      config: { scope: 'reconciliation:write', idempotent: true, problems: [] }
    },
    async (request, reply) => {
      const { currency, transactionType } = request.body
      const asked = {
        currency: String(currency),
        transactionType: transactionType as TransactionType
      }
      const answer = await makeFile(deps, claimOf(request), asked)
      reply.header('location', `/v1/billing-files/${JSON.parse(answer.body).id}`)
      return sendSaved(reply, answer)
    }
  )

  app.post(
    '/v1/billing-files/:id/acknowledgement',
    {
      schema: {
        operationId: 'acknowledgeBillingFile',
        summary: 'Say that the billing system has posted a file',
        description: 'All of its postings that are still open are posted; what it rejected stays.',
        tags: ['Postings'],
        params: FileParams,
        body: AcknowledgeFile,
        response: { 200: ref(BillingFileSchema) }
      },
      config: {
        scope: 'reconciliation:write',
        idempotent: true,
        problems: ['billing_file_not_found']
      }
    },
    async (request, reply) =>
      sendSaved(reply, await acknowledgeFile(deps, claimOf(request), request.params.id))
  )

  app.post(
    '/v1/billing-rejections',
    {
      schema: {
        operationId: 'rejectBillingDetails',
        summary: 'Hand in a rejections file of the billing system',
        description:
          'Each detail rejects the posting of that place in the file, as an acknowledgement with ' +
          '`rejected` would. All of them are taken or none. A large file may come in parts.',
        tags: ['Postings'],
        body: RejectDetails,
        response: { 200: ref(BillingFileSchema) }
      },
      config: {
        scope: 'reconciliation:write',
        idempotent: true,
        problems: ['billing_rejections_unmatched']
      }
    },
    async (request, reply) => {
      const { externalFileName, details } = request.body
      const rejections = details.map(toRejection)
      const answer = await rejectDetails(deps, claimOf(request), externalFileName, rejections)
      return sendSaved(reply, answer)
    }
  )

  await readRoutes(app, deps)
}

const readRoutes: Routes<'reads'> = async (app, { reads }) => {
  app.get(
    '/v1/billing-files',
    {
      schema: {
        operationId: 'listBillingFiles',
        summary: 'List the files for the billing system',
        description: 'Newest first.',
        tags: ['Postings'],
        querystring: PageQuery,
        response: { 200: BillingFilePage }
      },
      config: { scope: 'reconciliation:read', problems: [] }
    },
    async (request, reply) => {
      const find = (before: string | null, limit: number) => listFiles(reads, { before, limit })
      const toView = ({ file, counts }: CountedFile) => toFileView(file, counts)
      const positionOf = ({ file }: CountedFile) => file.id
      return await sendPage(request, reply, find, toView, { ...byId, positionOf })
    }
  )

  app.get(
    '/v1/billing-files/:id',
    {
      schema: {
        operationId: 'getBillingFile',
        summary: 'Get what a file holds and what became of it',
        tags: ['Postings'],
        params: FileParams,
        response: { 200: ref(BillingFileSchema) }
      },
      config: { scope: 'reconciliation:read', problems: ['billing_file_not_found'], etag: true }
    },
    async (request) => {
      const { file, counts } = known(await findFile(reads, request.params.id))
      return toFileView(file, counts)
    }
  )

  app.get(
    '/v1/billing-files/:id/content',
    {
      schema: {
        operationId: 'getBillingFileContent',
        summary: 'Get a file as the billing system reads it',
        description: 'Byte for byte the same at every time.',
        tags: ['Postings'],
        params: FileParams,
        // It goes out as the text that was kept.
        response: { 200: Type.Unsafe<string>(ref(UploadSchema)) }
      },
      config: { scope: 'reconciliation:read', problems: ['billing_file_not_found'] }
    },
    async (request, reply) => {
      const { id } = request.params
      const content = known(await findContent(reads, id))
      reply.header('content-disposition', `attachment; filename="${id}"`)
      return reply.type('application/json; charset=utf-8').send(content)
    }
  )
}

function known<T>(value: T | undefined): T {
  return found(value, 'billing_file_not_found', 'No file has this id.')
}

function toRejection(detail: RejectedDetailBody): Rejection {
  const { detailSequence, hierarchyEntity, transactionType, transactionId, rejectionReason } =
    detail
  return {
    detailSequence,
    accountId: hierarchyEntity.accountId,
    transactionType: transactionType === 'PAYMENT' ? 'payment' : 'refund',
    transactionId: transactionId ?? null,
    reason: rejectionReason ?? null
  }
}
