import { stopServer } from './database-server.ts'

await stopServer(process.ppid)
