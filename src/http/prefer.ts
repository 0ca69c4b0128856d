/** The longest that a caller may wait for a change, s. */
const waitMaxS = 30

/**
 * How long the caller would wait, in seconds: `Prefer: wait=N` (RFC 7240, 4.3), alone or among
 * other preferences; undefined where it says nothing that can be read. At most `waitMaxS`. Of a
 * preference that is there more than once the first counts, also where it can't be read.
 */
export function readWait(prefer: string | string[] | undefined): number | undefined {
  if (prefer === undefined) return undefined
  const text = Array.isArray(prefer) ? prefer.join(',') : prefer
  for (const preference of split(text, ',')) {
    const [pair = ''] = split(preference, ';')
    const [name = '', ...value] = split(pair, '=')
    if (name.trim().toLowerCase() !== 'wait') continue
    const seconds = /^(?:(\d+)|"(\d+)")$/.exec(value.join('=').trim())
    return seconds === null ? undefined : Math.min(Number(seconds[1] ?? seconds[2]), waitMaxS)
  }
  return undefined
}

/** The parts between separators; one within a quoted string (RFC 9110, 5.6.4) is none. */
function split(text: string, separator: string): string[] {
  const parts: string[] = []
  let start = 0
  let isQuoted = false
  for (let at = 0; at < text.length; at += 1) {
    if (isQuoted && text[at] === '\\') at += 1
    else if (text[at] === '"') isQuoted = !isQuoted
    else if (text[at] === separator && !isQuoted) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, text.slice(start)]
}
