/** Settlement reports for tests: those of the simulator, and files of one's own. */
import type { Answer, TestService } from '../test-service.ts'

export type ReportOrder = {
  kind?: 'settlementDetails' | 'paymentAccounting'
  faults?: Record<string, unknown>
  announce?: boolean
  fileName?: string
  url?: string
}

/** Asks the simulator for a report, which tells of it unless `announce` is false. */
export async function makeReport(
  { control }: Pick<TestService, 'control'>,
  order: ReportOrder = {}
): Promise<{ fileName: string; batch: number; lines: number; url: string }> {
  return (await control('POST', '/_simulator/reports', order)).body
}

/** The text of a report, as Adyen gives it to whoever has the API key. */
export async function download(url: string, apiKey: string): Promise<string> {
  const response = await fetch(url, { headers: { 'x-api-key': apiKey } })
  if (response.status !== 200) throw new Error(`the simulator answered ${response.status}`)
  return await response.text()
}

export async function upload(
  { call }: Pick<TestService, 'call'>,
  csv: string,
  fileName?: string
): Promise<Answer> {
  const query = fileName === undefined ? '' : `?fileName=${encodeURIComponent(fileName)}`
  const headers = { 'content-type': 'text/csv' }
  return await call('POST', `/v1/settlement-reports${query}`, { body: csv, headers })
}

/** Asks for the report until it has ended. */
export async function untilRead(
  { call }: Pick<TestService, 'call'>,
  id: string,
  withinMs = 20_000
): Promise<Answer['body']> {
  const giveUpAt = Date.now() + withinMs
  for (;;) {
    const { body } = await call('GET', `/v1/settlement-reports/${id}`)
    if (body.status === 'done' || body.status === 'refused') return body
    if (Date.now() > giveUpAt) throw new Error(`not read in time: ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Uploads a report and waits until it is read. */
export async function read(service: Pick<TestService, 'call'>, csv: string, withinMs?: number) {
  const { body, status } = await upload(service, csv)
  if (status !== 202 && status !== 200) throw new Error(`upload answered ${status}`)
  return await untilRead(service, body.id, withinMs)
}

/** All discrepancies of a kind, through every page. */
export async function discrepanciesOf(
  { call }: Pick<TestService, 'call'>,
  query = ''
): Promise<Answer['body'][]> {
  const all: Answer['body'][] = []
  for (let cursor = ''; ; ) {
    const path = `/v1/discrepancies?limit=100&${query}${cursor && `&cursor=${cursor}`}`
    const { body } = await call('GET', path)
    all.push(...body.data)
    if (body.nextCursor === null) return all
    cursor = body.nextCursor
  }
}
