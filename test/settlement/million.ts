/**
 * Reads 1,000,000 lines into a database of its own and prints what it took: `node
 * test/settlement/million.ts [lines]`. No test: it takes minutes.
 */
import { readReportFile } from '../../src/adyen-reports/report-file.reader.ts'
import { connect } from '../../src/database/database.ts'
import { migrate } from '../../src/database/migrate.ts'
import { receiveReport } from '../../src/settlement/report.commands.ts'
import { readReports } from '../../src/settlement/report.jobs.ts'
import { findReport } from '../../src/settlement/report.store.ts'
import { startServer, withDatabase } from '../database-server.ts'
import { generate } from './generated.ts'

const count = Number(process.argv[2] ?? 1_000_000)
const server = await startServer(process.pid)
const db = connect(withDatabase(server.url, server.template).replace(server.template, 'postgres'))
await migrate(db)

let peak = 0
const watch = setInterval(() => {
  peak = Math.max(peak, process.memoryUsage().rss)
}, 100)
const say = (text: string) => process.stdout.write(`${text}\n`)
const mb = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`
const started = performance.now()
const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`

say(`before: RSS ${mb(process.memoryUsage().rss)}`)
// Of another merchant account: a report of 1,000,000 discrepancies is another measure.
const { report } = await receiveReport({ db, wake: () => {} }, generate(count, 'Other'), null)
say(`received: ${seconds()}, RSS ${mb(process.memoryUsage().rss)}, peak ${mb(peak)}`)
await readReports({
  db,
  providerName: 'adyen',
  merchantAccount: 'TestMerchant',
  readReport: readReportFile,
  settlementMissingDays: 7,
  isStopping: () => false,
  onFault: (_, error) => say(String(error)),
  onProgress: (_, { lines, applied }) =>
    say(`${lines} read, ${applied} applied: ${seconds()}, peak ${mb(peak)}`)
})
clearInterval(watch)
say(JSON.stringify(await findReport(db, report.id)))
say(`done: ${seconds()}, peak RSS ${mb(peak)}`)
await db.destroy()
process.kill(server.keeper, 'SIGTERM')
