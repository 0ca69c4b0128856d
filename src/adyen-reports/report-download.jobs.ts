import { isUnavailable } from '../database/unavailable.ts'
import type { OnFault } from '../due/run-each.ts'
import type { Context } from '../service-context.ts'
import { storeContent } from '../settlement/report.commands.ts'
import {
  awaitUpload,
  claimReport,
  type DueReport,
  discardContent,
  finishContent,
  postponeReport,
  reportAttemptsMax,
  reportLeaseS,
  reportsToFetch,
  saveProgress
} from '../settlement/report.store.ts'
import type { ReportAnswer } from './report.transport.ts'
import { knownNames, toReportAddress } from './report-address.ts'
import { findAnnouncedReports, saveAnnouncedReport } from './report-download.store.ts'

type DownloadDeps = Pick<Context, 'db' | 'wake' | 'merchantAccount' | 'isStopping'> & {
  environment: 'TEST' | 'LIVE'
  checkoutUrl: string | undefined
  fetchReport: (address: string) => Promise<ReportAnswer>
  onFault: OnFault
}

/** How often it is looked whether the provider has announced a report. */
export const fetchEveryMs = 3_000
const announcedAtOnce = 20
const byHand = 'Fetch it by hand and upload it.'

/** Notes the reports that the provider announced, then fetches one that is due. One round. */
export async function fetchReports(deps: DownloadDeps): Promise<number> {
  if (deps.isStopping()) return 0
  for (const announced of await findAnnouncedReports(deps.db, knownNames, announcedAtOnce)) {
    const found = toReportAddress(announced.url, announced.fileName, deps)
    const [address, fault] =
      'address' in found ? [found.address, null] : [null, `${found.fault} ${byHand}`]
    await saveAnnouncedReport(deps.db, announced, address, fault)
  }
  const due = await claimReport(deps.db, reportsToFetch)
  if (due === undefined) return 0
  try {
    await fetchOne(deps, due)
  } catch (error) {
    deps.onFault({ reportId: due.id }, error)
    if (isUnavailable(error)) return 1
    await tryAgain(deps, due, error instanceof Error ? error.message : String(error))
  }
  return 1
}

async function fetchOne(deps: DownloadDeps, due: DueReport): Promise<void> {
  const { db, wake } = deps
  const answer = await deps.fetchReport(due.url ?? '')
  if (answer.outcome === 'failed') return await tryAgain(deps, due, answer.reason)
  if (answer.outcome === 'refused') {
    return await awaitUpload(db, due, `${answer.reason} ${byHand}`)
  }
  await discardContent(db, due.id)
  const content = await storeContent(db, due.id, held(deps, due, answer.content))
  await db.transaction().execute(async (tx) => {
    if (!(await saveProgress(tx, due, {}))) throw interrupted()
    await finishContent(tx, due.id, content)
  })
  wake('read_reports')
}

/** Says from time to time that it is still coming. */
async function* held(
  { db, isStopping }: DownloadDeps,
  due: DueReport,
  content: AsyncIterable<Uint8Array>
): AsyncGenerator<Uint8Array> {
  let saidAt = performance.now()
  for await (const part of content) {
    yield part
    if (performance.now() - saidAt < (reportLeaseS * 1000) / 4) continue
    saidAt = performance.now()
    if (isStopping() || !(await saveProgress(db, due, {}))) {
      throw interrupted()
    }
  }
}

/** Somebody else has it, or we stop. */
const interrupted = () => new Error('the download was interrupted')

async function tryAgain({ db }: DownloadDeps, due: DueReport, reason: string): Promise<void> {
  if (due.attempts >= reportAttemptsMax) {
    return await awaitUpload(db, due, `${reason} ${byHand}`)
  }
  await postponeReport(db, due, reason)
}
