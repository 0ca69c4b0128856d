/** Holds the answers of a façade to our own document of it. */
import type { Test } from 'tap'
import { problems } from '../../src/problems/problems.ts'
import { createJudge, operationsOf } from '../contract/document.ts'
import type { Answer, TestService } from '../test-service.ts'

/** What is wrong with an error, in TM Forum's form (TMF630) of our own problems. */
export function tmfErrorFaults({ status, headers, body }: Omit<Answer, 'text'>): string[] {
  const { code, reason, message, referenceError, requestId } = body ?? {}
  const texts = { code, reason, message, referenceError, requestId }
  const faults = Object.entries(texts)
    .filter(([, value]) => typeof value !== 'string' || value === '')
    .map(([name]) => `${name} is missing`)
  if (body?.status !== String(status)) faults.push(`it is ${status} and says ${body?.status}`)
  if (body?.['@type'] !== 'Error') faults.push('@type is not Error')
  if (!/^application\/json/.test(headers.get('content-type') ?? '')) faults.push('its media type')
  if (problems[code as keyof typeof problems]?.status !== status) faults.push(`${code} ${status}`)
  return faults
}

/** What is wrong is a fault of `t`, but for members that `fields` leaves out. */
export async function ownDocument(t: Test, { call }: TestService, path: string) {
  const { body: document } = await call('GET', path, { key: null })
  const operations = new Map(operationsOf(document).map((one) => [one.id, one]))
  const findFaults = createJudge(document)
  return (operationId: string, answer: Answer): Answer => {
    const { status, body, text } = answer
    const known = operations.get(operationId)
    const name = `${operationId} ${status}`
    const response = known?.operation.responses[status]
    if (known === undefined || response === undefined) {
      t.fail(`${name} is documented`, { answer: text })
      return answer
    }
    if (status >= 400) {
      const { examples } = response.content['application/json']
      t.ok(Object.hasOwn(examples, body.code), `${name}: ${body.code} is documented`)
      t.same(tmfErrorFaults(answer), [], name)
    }
    if (response.content !== undefined) {
      const at = ['paths', known.path, known.method, 'responses', String(status), 'content']
      t.same(findFaults([...at, 'application/json', 'schema'], body), [], name)
    }
    return answer
  }
}
