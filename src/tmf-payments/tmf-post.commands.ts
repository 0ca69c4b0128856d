/** Posts to TMF676: the commands of /v1 do the work, once for each correlatorId. */
import { findAccount } from '../accounts/account.store.ts'
import { findRegistration } from '../cards/registration.store.ts'
import { createPayment } from '../checkout/create.commands.ts'
import { toRefusal } from '../checkout/create.ts'
import { recordPayment } from '../checkout/recorded-payment.commands.ts'
import { pageGraceS } from '../checkout/schedule.ts'
import { type Client, visibleTo } from '../clients/client.ts'
import { readTime } from '../database-clock.ts'
import { newId } from '../id.ts'
import { refundPayment } from '../operations/operation.commands.ts'
import { findPayment } from '../payments/payment.store.ts'
import type { Payment } from '../payments/payment.ts'
import { type FieldFault, Problem, type ProblemPlace } from '../problem.ts'
import type { Trace } from '../provider.ts'
import type { Context } from '../service-context.ts'
import { type PaymentPlan, type PaymentPost, readPaymentPost } from './tmf-payment-post.ts'
import { atTmfMembers } from './tmf-pointers.ts'
import { dropUnusedPost, fingerprintOfPost, keepPost } from './tmf-post.store.ts'
import { type RefundPost, readRefundPost } from './tmf-refund-post.ts'
import { type FoundRefund, findTmfRefund } from './tmf-refund-search.store.ts'

/** Who posts, and where it is answered. */
export type Poster = { client: Client; place: ProblemPlace; trace: Trace | undefined }

/** `replayed`: it is what came of an earlier post with the same correlatorId. */
export type Posted<T> = { found: T; replayed: boolean }

/**
 * Charges, starts or records a payment. The same correlatorId and content is the same payment, as
 * it is now; other content is `correlator_conflict`. All faults at once.
 */
export async function postTmfPayment(
  deps: Context,
  poster: Poster,
  post: PaymentPost
): Promise<Posted<Payment>> {
  const { plan, faults } = readPaymentPost(post)
  const refusal = toRefusal(faults)
  if (refusal !== undefined) throw atTmfMembers(refusal, await findAccountFaults(deps, plan))
  return await once(deps, poster, 'payment', post, {
    find: async (id) => {
      const payment = await findPayment(deps.db, id)
      const isMade = payment?.status !== 'pending' || payment.providerSession !== null
      return isMade ? payment : undefined
    },
    work: async (id, fingerprint) => {
      try {
        if (plan.way === 'record') await record(deps, poster, plan, post, id)
        else await create(deps, poster, plan, id, fingerprint)
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        throw atTmfMembers(error, await findAccountFaults(deps, plan))
      }
      return (await findPayment(deps.db, id)) as Payment
    }
  })
}

/** What else is wrong, beside what a rule of ours has refused. */
async function findAccountFaults(
  { reads }: Context,
  { terms: { accountId } }: PaymentPlan
): Promise<FieldFault[]> {
  if ((await findAccount(reads, accountId)) !== undefined) return []
  return [{ pointer: '/account/id', detail: `No account ${accountId} is known.` }]
}

async function create(
  deps: Context,
  { client, place, trace }: Poster,
  { method, terms }: Extract<PaymentPlan, { way: 'create' }>,
  id: string,
  fingerprint: Buffer
): Promise<void> {
  const answer = await createPayment(deps, {
    ...terms,
    registeredCardId: await findCardId(deps, client, terms),
    ...{ client, place, trace, method, paymentId: id },
    claim: { clientId: client.id, key: `tmf676.${id}`, fingerprint },
    metadata: null,
    customer: null,
    // Without a correlatorId each is another payment, and with it another one says so.
    allowDuplicate: true,
    expiresAt: null
  })
  if (answer.status >= 400) throw readProblem(answer.body)
}

/** A card may be named by the registration that brought it, as TMF670 answered its post. */
async function findCardId(
  { reads }: Context,
  client: Client,
  { accountId, registeredCardId: id }: PaymentPlan['terms']
): Promise<string | null> {
  if (id === null || !/^reg_[0-9a-z]{16}$/.test(id)) return id
  const found = await findRegistration(reads, { id, accountId }, visibleTo(client), pageGraceS)
  return found?.registeredCardId ?? id
}

/** A definite no of the provider is answered as it was saved. */
function readProblem(body: string): Problem {
  const { code, detail, paymentId } = JSON.parse(body)
  return new Problem(code, detail, { paymentId })
}

/** The sender is its processor, who knows it by the correlatorId. */
async function record(
  deps: Context,
  { client }: Poster,
  { terms, authorisationCode, takenAt, reported }: Extract<PaymentPlan, { way: 'record' }>,
  post: PaymentPost,
  id: string
): Promise<void> {
  const { accountId, amount, channel, reference, operator } = terms
  const { payment } = await recordPayment(deps, {
    ...{ accountId, amount, channel, reference, operator, authorisationCode, reported },
    paymentId: id,
    clientId: client.id,
    visibleTo: visibleTo(client),
    processor: { name: client.id, reference: post.correlatorId ?? id },
    takenAt: takenAt ?? readTime()
  })
  if (payment.id === id) return
  // At /v1, where any name of a processor may be said.
  const detail = 'A payment with this correlatorId was recorded at /v1 already.'
  const errors = [{ pointer: '/correlatorId', detail }]
  throw new Problem('recorded_payment_conflict', detail, { paymentId: payment.id, errors })
}

/** Asks for a refund of a payment that the client sees. Repeated as a payment is. */
export async function postTmfRefund(
  deps: Context,
  poster: Poster,
  post: RefundPost
): Promise<Posted<FoundRefund>> {
  const seen = visibleTo(poster.client)
  const payment = await findPayment(deps.reads, post.payment.id, seen)
  const { asked, faults } = readRefundPost(post, payment)
  const refusal = toRefusal(faults)
  if (refusal !== undefined) throw refusal
  return await once(deps, poster, 'refund', post, {
    find: (id) => findTmfRefund(deps.db, id, seen),
    work: async (id, fingerprint) => {
      const claim = { clientId: poster.client.id, key: `tmf676.${id}`, fingerprint }
      // Of a recorded payment alone; its sender has given it back, and knows it so.
      const processor = payment?.processor && {
        name: poster.client.id,
        reference: post.correlatorId ?? id
      }
      try {
        const all = { ...asked, processor: processor ?? null }
        await refundPayment(deps, { claim, visibleTo: seen }, post.payment.id, all, id)
      } catch (error) {
        throw error instanceof Problem ? atTmfMembers(error) : error
      }
      return (await findTmfRefund(deps.db, id, seen)) as FoundRefund
    }
  })
}

type Work<T> = {
  /** What came of an earlier one; undefined where something is left to do. */
  find(id: string): Promise<T | undefined>
  /** Does the work once for the id, whoever calls it how often. */
  work(id: string, fingerprint: Buffer): Promise<T>
}

/**
 * The post is kept before the work is begun, and goes where nothing came of it: its correlatorId
 * stands for one payment for ever. Whoever kept it begins, and nobody else: what another one forgot
 * would leave a payment that its correlatorId does not find, and the next post would pay again.
 */
async function once<T>(
  { db }: Context,
  { client }: Poster,
  kind: 'payment' | 'refund',
  post: PaymentPost | RefundPost,
  { find, work }: Work<T>
): Promise<Posted<T>> {
  const fingerprint = fingerprintOfPost(post)
  const kept = {
    id: newId(kind === 'payment' ? 'pay' : 'ref'),
    clientId: client.id,
    correlatorId: post.correlatorId ?? null,
    body: post
  }
  const { id, isSame, isOwn, isThere } = await keepPost(db, { ...kept, kind }, fingerprint)
  if (!isSame) {
    const detail = `The first ${kind} with this correlatorId was another one.`
    throw new Problem('correlator_conflict', detail, {
      errors: [{ pointer: '/correlatorId', detail: `stands for ${kind} ${id}` }]
    })
  }
  if (isThere) {
    const known = await find(id)
    return { found: known ?? (await work(id, fingerprint)), replayed: true }
  }
  if (!isOwn) {
    const detail = `The first ${kind} with this correlatorId is being made.`
    throw new Problem('idempotency_key_in_flight', detail, { retryAfterS: 1 })
  }
  try {
    return { found: await work(id, fingerprint), replayed: false }
  } catch (error) {
    // Of any other fault nobody knows yet whether something came of it. Where this one fails, the
    // post is replaced by the next one.
    if (error instanceof Problem) await dropUnusedPost(db, id).catch(() => {})
    throw error
  }
}
