/** A process that starts a server on the folder it is given and waits: tests kill it. */
import { startPostgres } from '../../src/sandbox/postgres.ts'

const server = await startPostgres({ dir: process.argv[2] as string })
console.log(server.url('postgres'))
setInterval(() => {}, 60_000)
