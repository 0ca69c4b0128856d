/** Parameters of one switch; each switch reads those that its line in SWITCHES names. */
export type FaultSettings = {
  /** How often the fault strikes before it switches itself off; without it, always. */
  times?: number
  /** For how many milliseconds from now it strikes, as an outage does; without it, always. */
  forMs?: number
  /** When `forMs` is over, in milliseconds since 1970. */
  until?: number
  /** Only calls whose `METHOD /path?query` contains this text; with `$` last, ends with it. */
  path?: string
  /** Only notifications of this event code. */
  eventCode?: string
  /** Milliseconds. */
  ms?: number
  status?: number
  errorCode?: string
  message?: string
  /** Answer with `Transient-Error: true`; such an answer is not stored under the key. */
  transientError?: boolean
  /** The call took effect, although the answer says otherwise or never comes. */
  afterWork?: boolean
  copies?: number
  concurrently?: boolean
  hold?: number
  order?: 'reverse' | 'shuffle'
  /** What a forger does: by default both `signature` and `amount`. */
  alter?: ('signature' | 'amount' | 'success')[]
  /** The address that is answered instead of the right one. */
  url?: string
  /** Members of an item that are replaced before it is signed, and those that are left out. */
  set?: Record<string, unknown>
  omit?: string[]
  /** Amounts are text. */
  asText?: boolean
}

/** All switches, and the parameter that is meant when only a number is given. */
const SWITCHES = {
  api: {
    /** Waits `ms` before the work; the key is in flight for that long. */
    delayMs: 'ms',
    /** Answers `status` (500), stored under the key; with `transientError` it is not stored. */
    status5xx: 'status',
    /** Answers `status` (422), stored under the key. */
    status4xx: 'status',
    /** The API key is not accepted: answers `status` (401, or 403); never stored. */
    revokedKey: 'status',
    /** Answers `url` (of a stranger) as the address of the page, or of the issuer's question. */
    foreignUrl: 'times',
    /** Answers 500 with a page of HTML, as a gateway would; never stored. */
    html500: 'times',
    /** Does the work and never answers, or answers after `ms`; with `path` one endpoint hangs. */
    hangAfterWork: 'ms',
    /** Does the work and answers half of the JSON text. */
    truncate200: 'times',
    /** Does the work and answers an empty body. */
    emptyBody: 'times',
    /** Cuts the connection without an answer. */
    resetBeforeHeaders: 'times'
  },
  webhooks: {
    /** Sends `ms` later. */
    delayMs: 'ms',
    /** Never sends. */
    drop: 'times',
    /** Sends `copies` (1) more, one after another or `concurrently`. */
    duplicate: 'copies',
    /** Holds back until there are `hold` (2), then sends them in reverse or in `order`. */
    reorder: 'hold',
    /** Changes an item before it is signed: `set`, `omit` and `asText`. */
    reshape: 'times',
    /** Sends forged ones along with each genuine one, see `alter`. */
    forge: 'times',
    /** Sends an unsigned copy along with each genuine one. */
    unsignedToo: 'times'
  },
  page: {
    /** A paid session gives a second AUTHORISATION true with another pspReference, `ms` later. */
    secondSuccess: 'ms',
    /** AUTHORISATION false, then true `ms` later, with one pspReference. */
    falseThenTrue: 'ms',
    /** AUTHORISATION true, then false `ms` later, with one pspReference. */
    trueThenFalse: 'ms',
    /** Sends AUTHORISATION `ms` after the payment. */
    authorisationAfterMs: 'ms',
    /** Payments and modifications get pspReferences that look like card numbers. */
    cardLikeReference: 'times'
  }
} as const

/** The name of every switch, for people. */
export function formatSwitches(): string {
  const groups = Object.entries(SWITCHES).map(
    ([group, switches]) => `${group}: ${Object.keys(switches).join(', ')}`
  )
  return `${groups.join('. ')}.`
}

type Group = keyof typeof SWITCHES
type Name<G extends Group> = keyof (typeof SWITCHES)[G] & string
export type FaultTable = { [G in Group]: { [N in Name<G>]: FaultSettings | null } }

export type Faults = {
  /** The settings if the fault is to strike now (which counts), else null. */
  take: <G extends Group>(group: G, name: Name<G>, where?: string) => FaultSettings | null
  table: () => FaultTable
  /** Merges switch by switch; answers what is wrong with the input, or nothing. */
  merge: (changes: unknown) => string | null
  clear: () => void
}

export function createFaults(): Faults {
  let table = allOff()

  return {
    take: (group, name, where = '') => {
      const switches: Record<string, FaultSettings | null> = table[group]
      const settings = switches[name] ?? null
      if (settings === null) return null
      if (settings.until !== undefined && Date.now() >= settings.until) {
        switches[name] = null
        return null
      }
      if (settings.path !== undefined && !isAt(settings.path, where)) return null
      if (settings.eventCode !== undefined && settings.eventCode !== where) return null
      if (settings.times !== undefined) {
        settings.times -= 1
        if (settings.times <= 0) switches[name] = null
      }
      return settings
    },
    table: () => table,
    merge: (changes) => {
      const next = structuredClone(table)
      const wrong = mergeInto(next, changes)
      if (wrong === null) table = next
      return wrong
    },
    clear: () => {
      table = allOff()
    }
  }
}

function isAt(path: string, where: string): boolean {
  return path.endsWith('$') ? where.endsWith(path.slice(0, -1)) : where.includes(path)
}

function allOff(): FaultTable {
  const groups = Object.entries(SWITCHES).map(([group, switches]) => [
    group,
    Object.fromEntries(Object.keys(switches).map((name) => [name, null]))
  ])
  return Object.fromEntries(groups)
}

function mergeInto(table: FaultTable, changes: unknown): string | null {
  for (const [group, switches] of Object.entries(changes ?? {})) {
    const known = SWITCHES[group as Group] as Record<string, keyof FaultSettings> | undefined
    if (known === undefined) return `Unknown group '${group}': ${Object.keys(SWITCHES).join(', ')}`
    for (const [name, value] of Object.entries(switches ?? {})) {
      const numberMeans = known[name]
      if (numberMeans === undefined) {
        return `Unknown switch '${group}.${name}': ${Object.keys(known).join(', ')}`
      }
      const target = table[group as Group] as Record<string, FaultSettings | null>
      target[name] = readSettings(value, numberMeans)
    }
  }
  return null
}

/** `true`, a number or an object switches on; `false`, null or `{ times: 0 }` switches off. */
function readSettings(value: unknown, numberMeans: keyof FaultSettings): FaultSettings | null {
  if (value === false || value === null) return null
  if (typeof value === 'number') return { [numberMeans]: value }
  if (typeof value !== 'object') return {}
  const settings = { ...value } as FaultSettings
  if (settings.forMs !== undefined) settings.until = Date.now() + settings.forMs
  return settings.times !== undefined && settings.times <= 0 ? null : settings
}
