/** TM Forum's form of an error (TMF630), made of our own problems. Pure. */
import type { ErrorForm, Problem, ProblemPlace } from '../problem.ts'
import { problems } from '../problems/problems.ts'
import { tmfPrefix } from './tmf-paths.ts'

/**
 * Code and meaning are those of our own table; `message` names each fault, and `errors`,
 * `paymentId` and `difference` are beside it for programs, as in our other answers.
 */
function toTmfError(problem: Problem, { publicUrl, requestId }: ProblemPlace) {
  const { errors, paymentId, difference } = problem
  const { status, title } = problems[problem.code]
  const faults = errors?.map(({ pointer, detail }) => `${pointer || '/'} ${detail}`) ?? []
  const isFault = errors?.some(({ detail }) => detail === problem.message)
  return {
    code: problem.code,
    reason: title,
    message: (isFault ? faults : [problem.message, ...faults]).join('\n'),
    status: String(status),
    referenceError: `${publicUrl}/docs/problems#${problem.code}`,
    requestId,
    ...(errors && { errors }),
    ...(paymentId && { paymentId }),
    ...(difference && { difference }),
    '@type': 'Error',
    '@baseType': 'Error'
  }
}

export const tmfErrors: ErrorForm = {
  under: tmfPrefix,
  mediaType: 'application/json',
  schema: 'TmfError',
  toDocument: toTmfError
}
