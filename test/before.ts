import { startServer } from './database-server.ts'

// tap starts this and each test file as its own children.
const server = await startServer(process.ppid)
console.log(`# tests use ${server.kind}`)
