/**
 * The database's time, as this process knows it. What is stored bears that time, and the process's
 * own clock may be hours off, or be set while it runs; only how time passes is its own.
 */
let known: { ms: number; at: number } | undefined

/**
 * The database said that it was `ms` (since 1970), when asked between these two moments of
 * `performance.now()`.
 */
export function setClock(ms: number, askedAt: number, answeredAt: number): void {
  known = { ms, at: (askedAt + answeredAt) / 2 }
}

/** Until the database has been asked, the process's own. */
export function readTime(): Date {
  return new Date(known === undefined ? Date.now() : known.ms + performance.now() - known.at)
}
