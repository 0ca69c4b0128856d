/** Requests that hold only for what their caller has seen (RFC 9110, 13). */
import { hash } from 'node:crypto'
import { Problem } from '../problem.ts'

/** The headers If-Match and If-None-Match of a request, where it has them. */
export type Precondition = { ifMatch?: string | undefined; ifNoneMatch?: string | undefined }

/** The ETag of what has none of its own: it stands for every byte of the body. */
export function etagOf(body: string): string {
  return `"${hash('sha256', body, 'base64url')}"`
}

/** If-None-Match: compared weakly (RFC 9110, 13.1.2), so that `W/` makes no difference. */
export function matchesETag(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = tagsOf(ifNoneMatch).map((tag) => tag.replace(/^W\//, ''))
  return tags.includes(etag.replace(/^W\//, '')) || tags.includes('*')
}

/**
 * Throws `precondition_failed` where what is there is not what the request was made for. `etag`:
 * undefined where nothing is there. If-Match is compared strongly (13.1.1). What the request would
 * be refused for anyhow comes first (13.2.1), so call this last.
 */
export function checkPrecondition(
  { ifMatch, ifNoneMatch }: Precondition = {},
  etag: string | undefined
): void {
  const tags = tagsOf(ifMatch)
  const matches = etag !== undefined && (tags.includes('*') || tags.includes(etag))
  if (ifMatch !== undefined && !matches) {
    throw new Problem('precondition_failed', 'If-Match names no present ETag.')
  }
  if (etag !== undefined && matchesETag(ifNoneMatch, etag)) {
    throw new Problem('precondition_failed', 'It is there already, as If-None-Match names it.')
  }
}

/** Each as it stands, quotes included: an ETag may hold a comma. What is no ETag is left out. */
function tagsOf(header: string | undefined): string[] {
  if (header === undefined) return []
  return [...header.matchAll(listed)].map(([, tag = '']) => tag)
}
const listed = /(?<=^|,) {0,9}((?:W\/)?"[^"]*"|\*) {0,9}(?=,|$)/g
