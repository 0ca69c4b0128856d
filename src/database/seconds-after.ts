/**
 * SQL: the time `seconds` after `time`, both SQL. For what an update does with a column: Citus
 * refuses there what depends on the session, as `timestamptz + interval` does for its days' sake.
 */
export const secondsAfter = (time: string, seconds: number | string) =>
  `((${time} at time zone 'UTC' + make_interval(secs => ${seconds})) at time zone 'UTC')`
