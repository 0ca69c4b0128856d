/** An error that a client may see (RFC 9457); every one there is stands in problems.ts. */
import { type ProblemCode, problems } from './problems/problems.ts'

export type FieldFault = { pointer: string; detail: string }

/** Where a member of what `pointer` points at stands (RFC 6901, 3). */
export function pointerTo(pointer: string, name: string): string {
  if (!/[~/]/.test(name)) return `${pointer}/${name}`
  return `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

export type Difference = Record<string, { recorded: unknown; sent: unknown }>

type ProblemExtras = {
  errors?: FieldFault[]
  /** The payment that the problem is about. */
  paymentId?: string
  /** What differs from what was recorded, by the name of the field. */
  difference?: Difference
  /** Seconds after which it is worth repeating the request. */
  retryAfterS?: number
  /** How to authenticate: the value of WWW-Authenticate (RFC 9110, 11.6.1). */
  challenge?: string
  /** For the log only. */
  cause?: unknown
}

/** An error the client may see: `detail` is for people. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly errors: FieldFault[] | undefined
  readonly paymentId: string | undefined
  readonly difference: Difference | undefined
  readonly retryAfterS: number | undefined
  readonly challenge: string | undefined

  constructor(code: ProblemCode, detail: string, extras: ProblemExtras = {}) {
    super(detail, { cause: extras.cause })
    this.code = code
    this.errors = extras.errors
    this.paymentId = extras.paymentId
    this.difference = extras.difference
    this.retryAfterS = extras.retryAfterS
    this.challenge = extras.challenge
  }

  get status(): number {
    return problems[this.code].status
  }
}

/** `value`, which a store has found; else the problem that there is none. */
export function found<T>(value: T | undefined, code: ProblemCode, detail: string): T {
  if (value === undefined) throw new Problem(code, detail)
  return value
}

type ProblemDocument = {
  type: string
  title: string
  status: number
  detail: string
  code: ProblemCode
  instance: string
  requestId: string
  errors?: FieldFault[]
  paymentId?: string
  difference?: Difference
}

/** Where a problem was met: the service's public URL, the request's path, and its id. */
export type ProblemPlace = { publicUrl: string; instance: string; requestId: string }

/** The problem as RFC 9457 has it. */
export function toProblemDocument(problem: Problem, place: ProblemPlace): ProblemDocument {
  const { status, title } = problems[problem.code]
  return {
    type: `${place.publicUrl}/docs/problems#${problem.code}`,
    title,
    status,
    detail: problem.message,
    code: problem.code,
    instance: place.instance,
    requestId: place.requestId,
    ...(problem.errors && { errors: problem.errors }),
    ...(problem.paymentId && { paymentId: problem.paymentId }),
    ...(problem.difference && { difference: problem.difference })
  }
}

/** How errors are written to those who call paths of one kind. */
export type ErrorForm = {
  /** What those paths begin with. */
  under: string
  mediaType: string
  /** The name of its schema. */
  schema: string
  toDocument(problem: Problem, place: ProblemPlace): object
}

export const problemForm: ErrorForm = {
  under: '/',
  mediaType: 'application/problem+json',
  schema: 'Problem',
  toDocument: toProblemDocument
}
