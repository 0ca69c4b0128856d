/** A process that starts a server on the folder it is given and lives until it is killed. */
import { once } from 'node:events'
import { startPostgres } from '../../sandbox/postgres.ts'

const server = await startPostgres({ dir: process.argv[2] as string })
console.log(server.url('postgres'))
await once(process, 'SIGTERM')
await server.stop()
