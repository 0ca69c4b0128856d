import createOpenapiClient, {
  defaultPathSerializer,
  type Client as OpenapiClient
} from 'openapi-fetch'
import type { paths } from './openapi.ts'
import type { Answer, Arguments, CallOptions, Method, Operation, PathWith } from './operations.ts'
import { toError } from './payments-error.ts'
import { repeating } from './repeating.ts'

export type ClientOptions = {
  /** Where the service is, such as `https://payments.example`. */
  baseUrl: string
  /** So often a call is repeated at most, where that is worth it: 5. */
  retries?: number
  /** How long one try may take, without what it asks to wait: 15,000 ms. */
  timeoutMs?: number
  /** Another fetch, such as one that goes through a proxy. */
  fetch?: (request: Request) => Promise<Response>
} & (
  | {
      /** The API key. */
      key: string
      token?: never
    }
  | {
      /** Asked for an access token before each try: keep one until it is about to expire. */
      token: () => Promise<string>
      key?: never
    }
)

/** The whole of an answer; the data of a 304 is undefined. */
export type Called<T> = { data: T; response: Response }

export type Calls = ReturnType<typeof createCalls>

/**
 * A method for each of HTTP, which takes a path of the document. It throws a PaymentsError for
 * every answer that is no success, after it has repeated what is worth repeating.
 */
export function createCalls(options: ClientOptions) {
  const { baseUrl, key, token, retries = 5, timeoutMs = 15_000 } = options
  const authorization = async () => `Bearer ${token === undefined ? key : await token()}`
  const send = options.fetch ?? ((request: Request) => fetch(request))
  const api: OpenapiClient<paths, 'application/json'> = createOpenapiClient({
    baseUrl,
    pathSerializer: toPath,
    fetch: repeating({ fetch: send, authorization, retries, timeoutMs })
  })
  const request = api.request as unknown as (
    method: Method,
    path: string,
    init: object
  ) => Promise<{ data?: string; error?: unknown; response: Response }>

  async function call<M extends Method, P extends PathWith<M>>(
    method: M,
    path: P,
    ...[asked]: Arguments<Operation<M, P>>
  ): Promise<Called<Answer<Operation<M, P>>>> {
    const { data, error, response } = await request(
      method,
      path,
      toInit(method, { ...asked } as Asked)
    )
    // By its status: the error of an answer without a body is ''.
    if (!response.ok && response.status !== 304) throw toError(response, error)
    const isJson = response.headers.get('content-type')?.includes('json') === true
    return { data: (isJson && data ? JSON.parse(data) : data || undefined) as never, response }
  }

  const by =
    <M extends Method>(method: M) =>
    async <P extends PathWith<M>>(path: P, ...asked: Arguments<Operation<M, P>>) =>
      (await call(method, path, ...asked)).data

  return {
    get: by('get'),
    put: by('put'),
    post: by('post'),
    patch: by('patch'),
    delete: by('delete'),
    /** As the others, with the whole answer: its headers, or a 304. */
    call,
    /** The client of openapi-fetch below, which repeats as well, and answers errors as data. */
    api
  }
}

/**
 * No spelling of `..` is a name in a URL, which leaves it out together with what stands before it:
 * the events of a payment would be those of all.
 */
function toPath(path: string, names: Record<string, unknown>): string {
  for (const [name, value] of Object.entries(names)) {
    if (/^\.{0,2}$/.test(String(value))) throw new TypeError(`'${value}' can be no ${name}.`)
  }
  return defaultPathSerializer(path, names)
}

type Asked = CallOptions & { path?: object; query?: object; body?: unknown }

function toInit(method: Method, { path, query, body, signal, ...rest }: Asked): object {
  const { idempotencyKey, ifMatch, ifNoneMatch, waitS } = rest
  return {
    params: { path, query },
    headers: {
      // Of no effect where a POST needs none: those are known by a reference of their own.
      ...(method === 'post' && { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() }),
      ...(ifMatch !== undefined && { 'if-match': ifMatch }),
      ...(ifNoneMatch !== undefined && { 'if-none-match': ifNoneMatch }),
      ...(waitS !== undefined && { prefer: `wait=${waitS}` }),
      // The only bodies that are no JSON.
      ...(typeof body === 'string' && { 'content-type': 'text/csv' }),
      ...rest.headers
    },
    parseAs: 'text',
    ...(signal !== undefined && { signal }),
    ...(body !== undefined && { body }),
    ...(typeof body === 'string' && { bodySerializer: (text: string) => text })
  }
}
