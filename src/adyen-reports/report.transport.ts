import { createHttpClient } from '../outbound/http-client.transport.ts'

/** What came of asking for a report. `refused`: we may not have it. `failed`: ask again later. */
export type ReportAnswer =
  | { outcome: 'found'; content: AsyncIterable<Uint8Array> }
  | { outcome: 'refused'; reason: string }
  | { outcome: 'failed'; reason: string }

type ReportAccess = {
  apiKey: string
  /** The report service user; without one the API key must have the report role. */
  user: { name: string; password: string } | undefined
}

/**
 * Asks for a report; its content is read as it comes, and breaks off when Adyen falls silent. Where
 * it is found, its content must be read or left.
 */
export async function fetchReport(address: string, access: ReportAccess): Promise<ReportAnswer> {
  const { user, apiKey } = access
  const basic = user && Buffer.from(`${user.name}:${user.password}`).toString('base64')
  const headers =
    basic === undefined ? { 'x-api-key': apiKey } : { authorization: `Basic ${basic}` }
  const { origin, pathname: path } = new URL(address)
  // A report a day: no connection is kept for the next one.
  const client = createHttpClient({ idleMs: 1 })
  try {
    const { status, body } = await client.open({ origin, path, method: 'GET', headers })
    if (status === 200) return { outcome: 'found', content: closing(body, client.close) }
    await client.close()
    const outcome = status === 401 || status === 403 ? 'refused' : 'failed'
    return { outcome, reason: `The payment provider answered HTTP ${status}.` }
  } catch (error) {
    await client.close()
    const said = error instanceof Error ? error.message : String(error)
    return { outcome: 'failed', reason: `The payment provider did not answer: ${said}.` }
  }
}

async function* closing(
  body: AsyncIterable<Uint8Array>,
  close: () => Promise<void>
): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    // Without its code: what broke is this connection, and not the one to the database.
    const said = error instanceof Error ? error.message : String(error)
    throw new Error(`The payment provider broke off: ${said}.`)
  } finally {
    await close()
  }
}
