import { setTimeout as pause } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Answer, adyenError } from './adyen-error.ts'
import type { Context } from './context.ts'
import { cut } from './cut.ts'
import type { FaultSettings, FaultTable } from './faults.ts'
import { newPspReference } from './identifiers.ts'

const LONGEST_KEY = 64
const FOREIGN = 'https://pages.example/pay'
const HTML =
  '<html><head><title>500</title></head><body><h1>Internal Server Error</h1></body></html>'

/** Answers one call of the Checkout API, with Adyen's idempotency and with the faults asked for. */
export async function answerCall(
  context: Context,
  request: FastifyRequest,
  reply: FastifyReply,
  work: () => Answer
): Promise<FastifyReply> {
  const where = `${request.method} ${request.url}`
  const fault = (name: keyof FaultTable['api']) => context.faults.take('api', name, where)
  const header = request.headers['idempotency-key']
  const key = request.method === 'POST' && header ? String(header) : undefined

  const reset = fault('resetBeforeHeaders')
  if (reset !== null && !reset.afterWork) return cutOff(request, reply)
  const html = fault('html500')
  if (html !== null && !html.afterWork) return sendHtml(reply)

  const answer = await answerOnce(context, key, async () => {
    const delay = fault('delayMs')
    if (delay !== null) await pause(delay.ms ?? 1000)
    const refusal = refusalOf(fault('status5xx'), 500) ?? refusalOf(fault('status4xx'), 422)
    if (refusal === null) return work()
    if (refusal.afterWork) work()
    return refusal.answer
  })

  if (reset !== null) return cutOff(request, reply)
  if (html !== null) return sendHtml(reply)
  const hang = fault('hangAfterWork')
  if (hang !== null && hang.ms === undefined) return reply.hijack()
  if (hang !== null) await pause(hang.ms)
  if (key !== undefined) reply.header('idempotency-key', key)
  if (answer.transient) reply.header('transient-error', 'true')
  const pspReference = referenceIn(answer)
  if (pspReference !== undefined) reply.header('pspreference', pspReference)
  reply.code(answer.status)
  if (fault('emptyBody') !== null || answer.body === undefined) return reply.send()
  const foreign = hasAddress(answer.body) ? fault('foreignUrl') : null
  const text = JSON.stringify(
    foreign === null ? answer.body : withAddress(answer.body as WithAddress, foreign)
  )
  const isCutShort = answer.status < 300 && fault('truncate200') !== null
  return reply.type('application/json').send(isCutShort ? text.slice(0, text.length / 2) : text)
}

/**
 * https://docs.adyen.com/development-resources/api-idempotency: the first answer under a key is
 * the answer for good, whatever the body, and also when it is an error; a transient error is not
 * stored. While the first call runs, another gets 704.
 */
async function answerOnce(
  { state, keysInFlight }: Context,
  key: string | undefined,
  work: () => Promise<Answer>
): Promise<Answer> {
  if (key === undefined) return await work()
  if (key.length > LONGEST_KEY) {
    return adyenError(
      422,
      '29_001',
      `Field 'Idempotency-Key' may not exceed ${LONGEST_KEY} characters.`
    )
  }
  const stored = state.answers.get(key)
  if (stored !== undefined) return { status: stored.status, body: stored.body }
  if (keysInFlight.has(key)) {
    return {
      ...adyenError(422, '704', 'request already processed or in progress'),
      transient: true
    }
  }
  keysInFlight.add(key)
  try {
    const answer = await work()
    const { status, body, transient } = answer
    const createdAt = new Date().toISOString()
    if (!transient) state.answers.put({ id: key, createdAt, status, body })
    return answer
  } finally {
    keysInFlight.delete(key)
  }
}

/** The header repeats the body's; what succeeds without one in its body has one all the same. */
function referenceIn({ status, body }: Answer): string | undefined {
  const { pspReference } = (body ?? {}) as { pspReference?: string }
  return pspReference ?? (status < 300 ? newPspReference() : undefined)
}

type WithAddress = { url?: string; action?: { url?: string } }

function hasAddress(body: unknown): boolean {
  const { url, action } = (body ?? {}) as WithAddress
  return url !== undefined || action?.url !== undefined
}

function withAddress({ action, ...body }: WithAddress, { url = FOREIGN }: FaultSettings): object {
  return action === undefined ? { ...body, url } : { ...body, action: { ...action, url } }
}

function refusalOf(
  settings: FaultSettings | null,
  usual: number
): { answer: Answer; afterWork: boolean } | null {
  if (settings === null) return null
  const { status = usual, transientError = false, afterWork = false } = settings
  const isServers = status >= 500
  const { errorCode = isServers ? '905' : '702' } = settings
  const { message = isServers ? 'Payment details are not supported' : 'Invalid request' } = settings
  const answer = adyenError(status, errorCode, message, isServers ? 'configuration' : 'validation')
  return { answer: { ...answer, transient: transientError }, afterWork }
}

function sendHtml(reply: FastifyReply): FastifyReply {
  return reply.code(500).type('text/html').send(HTML)
}

function cutOff(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.hijack()
  cut(request.raw.socket)
  return reply
}
