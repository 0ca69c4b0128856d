/**
 * Whether an error of the database says that this unique index was broken. Citus passes the
 * worker's message on, and no field `constraint`; the number of the shard follows the name there.
 */
export function isBreachOf(name: string, error: unknown): boolean {
  const { code, constraint, message = '' } = error as Partial<DatabaseError>
  if (constraint !== undefined) return constraint === name
  const named = message.split(/\W+/).map((word) => word.replace(/_\d+$/, ''))
  return code === '23505' && named.includes(name)
}

type DatabaseError = Error & { code: string; constraint: string }
