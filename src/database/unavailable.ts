/**
 * What says that the database is not there for us, as against what says that we asked something
 * wrong: one table for everybody who must tell the two apart.
 */

/**
 * - `away`: it can't be reached, or not written to; its connection is of no more use.
 * - `busy`: it is there, and had no time for this statement: asking again may do better.
 */
type Unavailability = 'away' | 'busy'

/** read_only_sql_transaction: a standby, or a primary that is handing over. */
export const readOnlyState = '25006'

/** statement_timeout. */
const tooLongState = '57014'

/** It answers, but takes no writes. */
export class ReadOnlyDatabase extends Error {
  readonly code = readOnlyState

  constructor() {
    super('the database takes no writes')
  }
}

/** Others were before it for too long: it was not asked. */
export class NoTurn extends Error {
  constructor() {
    super(noTurn)
  }
}
const noTurn = 'waited too long for its turn'

/**
 * SQLSTATEs, or the beginnings that a class of them shares:
 * postgresql.org/docs/current/errcodes-appendix.html
 */
const states: ReadonlyArray<readonly [start: string, Unavailability]> = [
  ['08', 'away'], // connection exception; PgBouncer says 08P01 of almost everything
  ['0A000', 'away'], // a pooler that can't do it, or a plan that a migration has outdated
  [readOnlyState, 'away'],
  ['28', 'away'], // a password that is being changed, or no entry in pg_hba.conf
  ['3D000', 'away'], // the database is not there: it is being restored
  ['53', 'away'], // no disk, memory or connections left
  ['57P', 'away'], // shutting down, starting up, dropped, idle for too long
  ['58', 'away'], // errors of its disk
  ['F0', 'away'], // errors of its configuration
  ['25P03', 'away'], // it has closed the connection of a transaction that did nothing for too long
  ['25P04', 'away'], // or that took too long
  ['40', 'busy'], // serialisation, deadlock, or in conflict with recovery
  ['55P03', 'busy'], // lock_timeout
  [tooLongState, 'busy']
]

/** Errors of sockets and of names, as Node has them; ENOENT is a Unix socket that is not there. */
const codes = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ENOENT', 'ENOTCONN', 'ESHUTDOWN'],
  ...['EHOSTUNREACH', 'EHOSTDOWN', 'ENETUNREACH', 'ENETDOWN', 'ENETRESET', 'ETIMEDOUT'],
  ...['EADDRNOTAVAIL', 'EMFILE', 'ENFILE', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA']
])

/** What node-postgres and Kysely say without a code. */
const messages: ReadonlyArray<readonly [part: string, Unavailability]> = [
  ['timeout exceeded when trying to connect', 'busy'], // all connections of the pool are taken
  [noTurn, 'busy'],
  ['Query read timeout', 'away'],
  ['Connection terminated', 'away'],
  ['timeout expired', 'away'],
  ['is not queryable', 'away'],
  ['support SSL connections', 'away'],
  ['establishing an SSL connection', 'away'],
  // We are stopping.
  ['calling end on the pool', 'busy'],
  ['driver has already been destroyed', 'busy']
]

/** Undefined: the error says nothing of the kind. */
export function unavailabilityOf(error: unknown): Unavailability | undefined {
  if (!(error instanceof Error)) return undefined
  const { code } = error as { code?: unknown }
  if (typeof code === 'string') {
    if (codes.has(code)) return 'away'
    return states.find(([start]) => code.length === 5 && code.startsWith(start))?.[1]
  }
  return messages.find(([part]) => error.message.includes(part))?.[1]
}

/** What an error of the database says, in a line; some of Node's have a code alone. */
export function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string }
  return message || code || String(error)
}

/**
 * Whether the database could not be reached, could not be written to, or had no time for us, so
 * that asking again later may succeed.
 */
export const isUnavailable = (error: unknown): boolean => unavailabilityOf(error) !== undefined

/** Whether a statement itself took longer than any may. */
export const isTooLong = (error: unknown): boolean =>
  (error as { code?: unknown } | null)?.code === tooLongState

/** Whether a statement waited too long for a lock or for its turn: others may do better. */
export const isContended = (error: unknown): boolean =>
  unavailabilityOf(error) === 'busy' && (error as { code?: unknown }).code !== undefined
