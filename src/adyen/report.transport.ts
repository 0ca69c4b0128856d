/** What came of asking for a report. `refused`: we may not have it. `failed`: ask again later. */
export type ReportAnswer =
  | { outcome: 'found'; content: AsyncIterable<Uint8Array> }
  | { outcome: 'refused'; reason: string }
  | { outcome: 'failed'; reason: string }

export type ReportAccess = {
  apiKey: string
  /** The report service user; without one the API key must have the report role. */
  user: { name: string; password: string } | undefined
}

/** For the answer to begin, and between two parts of it, ms. */
const patienceMs = 30_000

/** Asks for a report; its content is read as it comes, and breaks off when Adyen falls silent. */
export async function fetchReport(address: string, access: ReportAccess): Promise<ReportAnswer> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), patienceMs)
  try {
    const { user, apiKey } = access
    const basic = user && Buffer.from(`${user.name}:${user.password}`).toString('base64')
    const response = await fetch(address, {
      headers: basic === undefined ? { 'x-api-key': apiKey } : { authorization: `Basic ${basic}` },
      // Whoever leads elsewhere would be handed our credentials.
      redirect: 'error',
      signal: abort.signal
    })
    const { status, body } = response
    if (status === 200 && body !== null) return { outcome: 'found', content: read(body, timer) }
    clearTimeout(timer)
    await body?.cancel()
    const outcome = status === 401 || status === 403 ? 'refused' : 'failed'
    return { outcome, reason: `The payment provider answered HTTP ${status}.` }
  } catch (error) {
    clearTimeout(timer)
    const cause = error instanceof Error ? (error.cause ?? error) : error
    const said = cause instanceof Error ? cause.message : String(cause)
    return { outcome: 'failed', reason: `The payment provider did not answer: ${said}.` }
  }
}

async function* read(
  body: AsyncIterable<Uint8Array>,
  timer: NodeJS.Timeout
): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of body) {
      timer.refresh()
      yield part
      timer.refresh()
    }
  } finally {
    clearTimeout(timer)
  }
}
