import { sql } from 'kysely'
import { connect, type Db } from '../src/database/database.ts'

/** A connection to a database that is made where it is missing. */
export async function openDatabase(serverUrl: string, url: string, name: string): Promise<Db> {
  const server = connect(serverUrl, { max: 1 })
  try {
    const { rows } = await sql`select from pg_database where datname = ${name}`.execute(server)
    if (rows.length === 0) await sql`create database ${sql.id(name)}`.execute(server)
  } finally {
    await server.destroy()
  }
  return connect(url, { max: 2 })
}
