/**
 * Times of Adyen's reports: a local date and time, and the zone in a column of its own, by an
 * abbreviation of the account's. Libraries read those as they please (BST as Bangladesh's), so the
 * table is our own. Pure.
 */
import { ReportFault } from '../settlement/settlement.ts'

/**
 * Places by their IANA name, and what their clocks are called, in hours from UTC. A name that
 * stands at several places is ambiguous; one that stands at one is meant to be that: BST is never
 * Bangladesh, EST never Australia.
 */
const places: ReadonlyArray<readonly [place: string, names: Readonly<Record<string, number>>]> = [
  ['UTC', { UTC: 0, GMT: 0, UCT: 0, Z: 0 }],
  ['Europe/London', { BST: 1 }],
  ['Europe/Dublin', { IST: 1 }],
  ['Europe/Lisbon', { WET: 0, WEST: 1 }],
  ['Europe/Amsterdam', { CET: 1, CEST: 2, MET: 1, MEST: 2 }],
  ['Europe/Athens', { EET: 2, EEST: 3 }],
  ['Europe/Istanbul', { TRT: 3 }],
  ['Europe/Moscow', { MSK: 3, MSD: 4 }],
  ['Asia/Jerusalem', { IST: 2, IDT: 3 }],
  ['Africa/Lagos', { WAT: 1 }],
  ['Africa/Maputo', { CAT: 2 }],
  ['Africa/Johannesburg', { SAST: 2 }],
  ['Africa/Nairobi', { EAT: 3 }],
  ['Asia/Riyadh', { AST: 3 }],
  ['Asia/Dubai', { GST: 4 }],
  ['Asia/Yerevan', { AMT: 4 }],
  ['Asia/Karachi', { PKT: 5 }],
  ['Asia/Kolkata', { IST: 5.5 }],
  ['Asia/Kathmandu', { NPT: 5.75 }],
  ['Asia/Dhaka', { BDT: 6 }],
  ['Asia/Yangon', { MMT: 6.5 }],
  ['Asia/Bangkok', { ICT: 7 }],
  ['Asia/Jakarta', { WIB: 7 }],
  ['Asia/Makassar', { WITA: 8 }],
  ['Asia/Jayapura', { WIT: 9 }],
  ['Asia/Shanghai', { CST: 8 }],
  ['Asia/Hong_Kong', { HKT: 8 }],
  ['Asia/Brunei', { BDT: 8, BNT: 8 }],
  ['Asia/Singapore', { SGT: 8, SST: 8 }],
  ['Asia/Kuala_Lumpur', { MYT: 8 }],
  ['Asia/Manila', { PHT: 8, PHST: 8 }],
  ['Asia/Tokyo', { JST: 9 }],
  ['Asia/Seoul', { KST: 9 }],
  ['Australia/Perth', { AWST: 8, WST: 8 }],
  ['Australia/Darwin', { ACST: 9.5 }],
  ['Australia/Adelaide', { ACST: 9.5, ACDT: 10.5, ACT: 9.5 }],
  ['Australia/Brisbane', { AEST: 10 }],
  ['Australia/Sydney', { AEST: 10, AEDT: 11, AET: 10 }],
  ['Pacific/Guam', { CHST: 10 }],
  ['Pacific/Auckland', { NZST: 12, NZDT: 13 }],
  ['Pacific/Apia', { WST: 13 }],
  ['Pacific/Pago_Pago', { SST: -11 }],
  ['Pacific/Honolulu', { HST: -10, HAST: -10 }],
  ['America/Anchorage', { AKST: -9, AKDT: -8 }],
  ['America/Los_Angeles', { PST: -8, PDT: -7, PT: -8 }],
  ['America/Denver', { MST: -7, MDT: -6, MT: -7 }],
  ['America/Chicago', { CST: -6, CDT: -5, CT: -6 }],
  ['America/Mexico_City', { CST: -6, MXT: -6 }],
  ['America/New_York', { EST: -5, EDT: -4, ET: -5 }],
  ['America/Havana', { CST: -5, CDT: -4 }],
  ['America/Halifax', { AST: -4, ADT: -3 }],
  ['America/St_Johns', { NST: -3.5, NDT: -2.5 }],
  ['America/Bogota', { COT: -5 }],
  ['America/Lima', { PET: -5 }],
  ['America/Guayaquil', { ECT: -5 }],
  ['America/Rio_Branco', { ACT: -5 }],
  ['America/Caracas', { VET: -4 }],
  ['America/La_Paz', { BOT: -4 }],
  ['America/Manaus', { AMT: -4 }],
  ['America/Asuncion', { PYT: -4, PYST: -3 }],
  ['America/Santiago', { CLT: -4, CLST: -3 }],
  ['America/Sao_Paulo', { BRT: -3, BRST: -2 }],
  ['America/Argentina/Buenos_Aires', { ART: -3 }],
  ['America/Montevideo', { UYT: -3 }],
  ['Atlantic/South_Georgia', { GST: -2 }]
]

type Meaning = { place: string; hours: number }

const meanings: ReadonlyMap<string, readonly Meaning[]> = Map.groupBy(
  places.flatMap(([place, names]) =>
    Object.entries(names).map(([name, hours]) => ({ name, place, hours }))
  ),
  ({ name }) => name
)

/** The furthest that any clock is from UTC, hours. */
const furthest = [-12, 14] as const
const hourMs = 3_600_000

type ReportTime = {
  /** Date and zone as the report has them. */
  bookedAs: string
  zone: string
  /** RFC 3339, UTC; null where the zone leaves a doubt. */
  bookedAt: string | null
  /** Not before: the earliest time that it can be; null where there is none. */
  bookedFrom: string | null
  /** A zone that is not known here, as the report names it; null for one that is. */
  unknownZone: string | null
}

const form = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?)?\s*(Z|[+-]\d\d:?\d\d)?$/

/** Most lines have the time of another: what was read last. */
const read = new Map<string, ReportTime>()

/** Date and zone as they stand there, and when that was; a `ReportFault` where it is no date. */
export function readTime(date: string, zone: string): ReportTime {
  const key = `${date} ${zone}`
  const known = read.get(key)
  if (known?.bookedAs === date) return known
  if (read.size >= answersMax) read.clear()
  const time = readAnew(date, zone)
  read.set(key, time)
  return time
}

function readAnew(date: string, zone: string): ReportTime {
  const none = { bookedAs: date, zone, bookedAt: null, bookedFrom: null, unknownZone: null }
  if (date.trim() === '') return none
  const [, day, minutes, seconds = ':00', ownZone] = form.exec(date.trim()) ?? []
  const local = Date.parse(`${day}T${minutes ?? '00:00'}${seconds}Z`)
  // A day that its month does not have is read as one of the next.
  if (Number.isNaN(local) || new Date(local).toISOString().slice(0, 10) !== day) {
    const written =
      'it is written as in 2026-11-20 10:15:00. Upload the report as it was downloaded'
    throw new ReportFault(`"${date}" is not a date: ${written}.`)
  }
  const named = (ownZone ?? zone).trim()
  const hours = hoursOf(named, local)
  const possible = hours ?? furthest
  const utc = (offset: number) => new Date(local - offset * hourMs).toISOString()
  const [only] = possible
  const isSure = minutes !== undefined && possible.length === 1 && only !== undefined
  return {
    ...none,
    bookedAt: isSure ? utc(only) : null,
    bookedFrom: utc(Math.max(...possible)),
    unknownZone: hours === undefined ? named || 'none' : null
  }
}

/** How far the zone's clock may be from UTC at a local time (ms), each once; undefined: unknown. */
function hoursOf(zone: string, local: number): readonly number[] | undefined {
  const known = meanings.get(zone.toUpperCase())
  if (known !== undefined) return [...new Set(known.flatMap((one) => hoursBy(one, local)))]
  // Neither an abbreviation nor an offset that no clock has is the name of a place.
  return offsetOf(zone) ?? (/^([A-Z]{1,5}|[+-].*)$/i.test(zone) ? undefined : clockOf(zone, local))
}

/**
 * A name is what it says where the place's clock may show that. Where it can't, as `CET` in July,
 * it may be the place that is meant.
 */
function hoursBy({ place, hours }: Meaning, local: number): readonly number[] {
  const shown = clockOf(place, local) ?? []
  return shown.includes(hours) ? [hours] : [hours, ...shown]
}

/** `+01:00`, `-0530`, `UTC+1`, `GMT-03:00`. */
function offsetOf(zone: string): number[] | undefined {
  const [, sign, hours, minutes = '0'] =
    /^(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?([0-5]\d))?$/i.exec(zone) ?? []
  const size = Number(hours) + Number(minutes) / 60
  const offset = sign === '-' ? -size : size
  return offset >= furthest[0] && offset <= furthest[1] ? [offset] : undefined
}

const clocks = new Map<string, Intl.DateTimeFormat | undefined>()
/** Asked again for each line of an hour: the last answers are kept. */
const answers = new Map<string, readonly number[] | undefined>()
const answersMax = 1_000

/**
 * What the clock of a place, by its IANA name, may be from UTC at a local time: two answers where
 * it is set back, and where the time that is skipped is named; undefined where there is no such
 * place.
 */
function clockOf(place: string, local: number): readonly number[] | undefined {
  const key = `${place} ${Math.floor(local / (hourMs / 4))}`
  if (answers.has(key)) return answers.get(key)
  if (answers.size >= answersMax) answers.clear()
  const around = [local - 26 * hourMs, local + 26 * hourMs].map((at) => hoursAt(place, at))
  const [before, after] = around
  const found = around.filter(
    (hours) => hours !== undefined && hoursAt(place, local - hours * hourMs) === hours
  )
  const possible = [...new Set(found.length > 0 ? found : around)] as number[]
  const answer = before === undefined || after === undefined ? undefined : possible
  answers.set(key, answer)
  return answer
}

/** Hours from UTC at a moment; undefined where there is no such place. */
function hoursAt(place: string, at: number): number | undefined {
  if (!clocks.has(place)) {
    // Names come from a file: no more are kept than there are places.
    if (clocks.size >= answersMax) clocks.clear()
    clocks.set(place, clockNamed(place))
  }
  const text = clocks
    .get(place)
    ?.formatToParts(at)
    .find(({ type }) => type === 'timeZoneName')
  return text?.value === 'GMT' ? 0 : offsetOf(text?.value ?? '')?.[0]
}

function clockNamed(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' })
  } catch {
    return undefined
  }
}
