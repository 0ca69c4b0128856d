/**
 * What TM Forum asks of answers: the essentials as a table, and all of its own swagger file where
 * `TMF_SPECS` names the folder that has it (github.com/tmforum-apis).
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import type { Test } from 'tap'
import type { Answer } from '../test-service.ts'

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
type Json = any

/** The members of a resource that are always there, by their paths, and what they are. */
export type Essentials = Readonly<Record<string, 'string' | 'number' | 'object' | 'array'>>

const folder = process.env.TMF_SPECS

export type Judge = {
  /** Whether the whole standard is asked. */
  isWhole: boolean
  /** What is wrong with a resource of this name, such as `Payment` or `Error`. */
  faultsOf(definition: string, resource: Json): string[]
  /** Holds a list to its headers, and each of its resources to the definition. */
  judgeList(t: Test, definition: string, answer: Answer): void
  /** Holds an answer to its status and to the definition; a status of 400 or more is an `Error`. */
  judge(t: Test, definition: string, status: number, answer: Answer): Json
}

/**
 * `file`: of the swagger in `TMF_SPECS`; `essentials`: by the names of definitions; `extend`: tells
 * the definitions of what they do not foresee.
 */
export async function createTmfJudge(
  file: string,
  essentials: Readonly<Record<string, Essentials>>,
  extend: (definitions: Json) => void = () => undefined
): Promise<Judge> {
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats.default(ajv)
  const validators = new Map<string, ValidateFunction>()
  if (folder !== undefined) {
    const document = JSON.parse(await readFile(join(folder, file), 'utf8'))
    extend(document.definitions)
    ajv.addSchema({ $id: 'swagger', definitions: document.definitions })
  }

  function faultsOf(definition: string, resource: Json): string[] {
    const known = { ...essentials, Error: errorEssentials }[definition] as Essentials
    const faults = Object.entries(known).flatMap(([path, type]) => {
      const value = path.split('.').reduce((node, name) => node?.[name], resource)
      const found = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value
      return found === type && value !== '' ? [] : [`${path} is ${found}`]
    })
    if (folder === undefined) return faults
    const validate =
      validators.get(definition) ?? ajv.compile({ $ref: `swagger#/definitions/${definition}` })
    validators.set(definition, validate)
    if (validate(resource)) return faults
    return faults.concat(validate.errors?.map((one) => `${one.instancePath} ${one.message}`) ?? [])
  }

  function judge(t: Test, definition: string, status: number, answer: Answer): Json {
    const { body, headers } = answer
    t.equal(answer.status, status, answer.text)
    t.match(headers.get('content-type'), /^application\/json(; charset=utf-8)?$/)
    const isError = status >= 400
    t.same(faultsOf(isError ? 'Error' : definition, body), [], `${definition} ${status}`)
    if (isError) t.match(body, { status: String(status), '@type': 'Error', '@baseType': 'Error' })
    else t.match(body, { '@type': definition, '@baseType': definition })
    return body
  }

  function judgeList(t: Test, definition: string, answer: Answer): void {
    const { body, headers } = answer
    t.equal(answer.status, 200, answer.text)
    t.ok(Array.isArray(body))
    t.equal(headers.get('x-result-count'), String(body.length))
    t.ok(Number(headers.get('x-total-count')) >= body.length)
    for (const one of body) t.same(faultsOf(definition, one), [], `${definition} ${one.id}`)
  }

  return { isWhole: folder !== undefined, faultsOf, judge, judgeList }
}

const errorEssentials: Essentials = {
  code: 'string',
  reason: 'string',
  message: 'string',
  status: 'string',
  referenceError: 'string'
}
