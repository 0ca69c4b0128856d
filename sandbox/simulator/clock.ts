const HOUR = 3_600_000

/** Adyen writes times to the second and with an offset: `2026-03-02T10:15:00+01:00`. */
export function adyenTime(at: Date): string {
  return `${new Date(at.getTime() + HOUR).toISOString().slice(0, 19)}+01:00`
}
