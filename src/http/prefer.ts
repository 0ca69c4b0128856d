/** The longest that a caller may wait for a change, s. */
const waitMaxS = 30

/**
 * How long the caller would wait, in seconds: `Prefer: wait=N` (RFC 7240, 4.3), alone or among
 * other preferences; undefined where it says nothing that can be read. At most `waitMaxS`.
 */
export function readWait(prefer: string | string[] | undefined): number | undefined {
  const text = Array.isArray(prefer) ? prefer.join(',') : (prefer ?? '')
  const [, digits] = /(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=[,;]|$)/i.exec(text) ?? []
  return digits === undefined ? undefined : Math.min(Number(digits), waitMaxS)
}
