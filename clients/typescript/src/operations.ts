/** The operations of the document, as the methods of the client take and answer them. */
import type { paths } from './openapi.ts'

export type Method = 'get' | 'put' | 'post' | 'patch' | 'delete'

/** The paths that have the method. */
export type PathWith<M extends Method> = {
  [P in keyof paths]: [Exclude<paths[P][M], undefined>] extends [never] ? never : P
}[keyof paths]

export type Operation<M extends Method, P extends keyof paths> = Exclude<paths[P][M], undefined>

type ParametersOf<O, Place extends string> = O extends { parameters: Record<Place, infer Found> }
  ? Found
  : O extends { parameters: { [K in Place]?: infer Found } }
    ? Exclude<Found, undefined>
    : never

type BodyOf<O> = O extends { requestBody: { content: infer Content } }
  ? Content[keyof Content]
  : O extends { requestBody?: { content: infer Content } }
    ? Content[keyof Content]
    : never

/** A field that is absent where there is nothing to say, and optional where nothing is needed. */
type Field<Name extends string, T> = [T] extends [never]
  ? { [K in Name]?: never }
  : Record<never, never> extends T
    ? { [K in Name]?: T }
    : { [K in Name]: T }

/** What any call takes besides what its operation asks for. */
export type CallOptions = {
  /**
   * Of a POST: by default a fresh one, kept over the repetitions of this call. Name one to go on
   * with the same intention after a restart.
   */
  idempotencyKey?: string
  /** An ETag: only if the resource still has it, else 412. */
  ifMatch?: string
  /** An ETag: 304 and no data where the resource still has it. */
  ifNoneMatch?: string
  /** `Prefer: wait`, s: at most 30. */
  waitS?: number
  headers?: Record<string, string>
  /** Ends the call, its repetitions and pauses; the promise is then rejected with its reason. */
  signal?: AbortSignal
}

export type Options<O> = CallOptions &
  Field<'path', ParametersOf<O, 'path'>> &
  Field<'query', ParametersOf<O, 'query'>> &
  Field<'body', BodyOf<O>>

/** One argument, that can be left out where the operation asks for nothing. */
export type Arguments<O> =
  Record<never, never> extends Options<O> ? [options?: Options<O>] : [options: Options<O>]

type Success = 200 | 201 | 202 | 204

type ContentOf<R> = R extends { content: { 'application/json': infer Body } }
  ? Body
  : R extends { content: infer Content }
    ? Content[keyof Content]
    : undefined

/** JSON where the operation has it, else text; undefined for 204. */
export type Answer<O> = O extends { responses: infer R }
  ? { [S in keyof R & Success]: ContentOf<R[S]> }[keyof R & Success]
  : never

export type Page<Item> = { data: Item[]; nextCursor: string | null }

/** The paths whose GET answers a page. */
export type ListPath = {
  [P in PathWith<'get'>]: Answer<Operation<'get', P>> extends Page<unknown> ? P : never
}[PathWith<'get'>]

export type ItemOf<P extends ListPath> =
  Answer<Operation<'get', P>> extends { data: Array<infer Item> } ? Item : never
