/** The database is not as this version needs it; the message says so to people. */
export class DatabaseFault extends Error {}

/** What people can mend, by SQLSTATE (postgresql.org/docs/current/errcodes-appendix.html). */
const remedies: Readonly<Record<string, string>> = {
  '42501': 'This takes the owner of the tables: set DATABASE_URL to its.',
  '42P01': 'The tables are not those of this release: run npm run migrate first.'
}

/** The sentence for an error of the database that whoever gave the command can mend. */
export function findRemedy({ code = '', message }: NodeJS.ErrnoException): string | undefined {
  const remedy = remedies[code]
  return remedy && `The database says: ${message}. ${remedy}`
}
