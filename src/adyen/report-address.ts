/**
 * Where a report may be fetched from. REPORT_AVAILABLE names it by its file name, which is signed,
 * and by a URL, which is not (docs.adyen.com/reporting/automatically-get-reports): the URL leads
 * only to Adyen's own hosts, and there only to that file.
 */
import type { ReportKind } from '../settlement/settlement.ts'

const hosts = { TEST: 'https://ca-test.adyen.com', LIVE: 'https://ca-live.adyen.com' } as const

/** Without a slash, so that it is never a path. */
const fileName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.csv$/

const kindsByName: ReadonlyArray<readonly [RegExp, ReportKind]> = [
  [/^settlement_detail_report_/, 'settlementDetails'],
  [/^payments_accounting_report_/, 'paymentAccounting']
]

/** Of the file names of reports that are read here, for the database. */
export const knownNames = kindsByName.map(([{ source }]) => source).join('|')

/** What a report holds, by its file name; undefined for one that is not read here. */
function kindOf(name: string): ReportKind | undefined {
  if (!fileName.test(name)) return undefined
  return kindsByName.find(([pattern]) => pattern.test(name))?.[1]
}

/** The address to fetch a report from; undefined where the URL leads elsewhere. */
export function toReportAddress(
  url: string,
  name: string,
  site: { environment: 'TEST' | 'LIVE'; checkoutUrl: string | undefined }
): string | undefined {
  if (kindOf(name) === undefined || !URL.canParse(url)) return undefined
  const { origin, pathname, search, hash, username, password } = new URL(url)
  const isKnown = origin === hosts[site.environment] || origin === site.checkoutUrl
  const path = /^\/reports\/download\/(MerchantAccount|Company)\/[A-Za-z0-9_-]+\/([^/]+)$/
  if (!isKnown || path.exec(pathname)?.[2] !== name) return undefined
  return search || hash || username || password ? undefined : origin + pathname
}
