/**
 * Where a report may be fetched from. REPORT_AVAILABLE names it by its file name, which is signed,
 * and by a URL, which is not (docs.adyen.com/reporting/automatically-get-reports): the URL leads
 * only to Adyen's own hosts, and there only to that file.
 */
import type { ReportKind } from '../settlement/settlement.ts'

const hosts = { TEST: 'https://ca-test.adyen.com', LIVE: 'https://ca-live.adyen.com' } as const

/**
 * Without a slash or backslash, so that it is never a path. Names of filtered reports hold times:
 * `…_2026-11-01T00:00:00_….csv`.
 */
const fileName = /^[A-Za-z0-9][ -.0-[\]-~]{0,250}\.csv$/i

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

/** Where a report is fetched from; or why it is not, for whoever is to upload it. */
export function toReportAddress(
  url: string,
  name: string,
  site: { environment: 'TEST' | 'LIVE'; checkoutUrl: string | undefined }
): { address: string } | { fault: string } {
  if (kindOf(name) === undefined) return { fault: 'No report that is read here has such a name.' }
  if (!URL.canParse(url)) return { fault: 'The notification names no address to fetch it from.' }
  const { origin, pathname, search, hash, username, password } = new URL(url)
  if (origin !== hosts[site.environment] && origin !== site.checkoutUrl) {
    return { fault: 'The address in the notification is not one of the payment provider.' }
  }
  const path = /^\/reports\/download\/(?:MerchantAccount|Company)\/[^/]+\/([^/]+)$/
  const isPlain = !search && !hash && !username && !password
  const [, file = ''] = path.exec(pathname) ?? []
  return isPlain && decode(file) === name
    ? { address: origin + pathname }
    : { fault: 'The address in the notification is not that of this report.' }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
