/** What counts as a database that is not there for us. */
import pg from 'pg'
import t from 'tap'
import { createOutage } from '../../src/database/outage.ts'
import {
  isContended,
  isUnavailable,
  NoTurn,
  ReadOnlyDatabase,
  unavailabilityOf
} from '../../src/database/unavailable.ts'

/** What PostgreSQL answers, with that SQLSTATE. */
function answered(code: string, text = 'an error'): Error {
  return Object.assign(new pg.DatabaseError(text, 0, 'error'), { code })
}
/** What Node says of a socket or a name. */
const met = (code: string) => Object.assign(new Error(`connect ${code}`), { code })

const away: Record<string, Error> = {
  'a standby, or one that hands over': answered('25006'),
  'a password that is being changed': answered('28P01'),
  'no entry in pg_hba.conf': answered('28000'),
  'no database of that name': answered('3D000'),
  'an error of its disk': answered('58030'),
  'a full disk': answered('53100'),
  'no connection left': answered('53300'),
  'a stop by its administrator': answered('57P01'),
  'a crash of another backend': answered('57P02'),
  'one that is starting': answered('57P03'),
  'a connection that was idle for too long': answered('57P05'),
  'a connection failure': answered('08006'),
  'a pooler that has lost its server': answered('08P01'),
  'a pooler that can’t do it': answered('0A000'),
  'a transaction that took too long': answered('25P04'),
  'nothing listens': met('ECONNREFUSED'),
  'a Unix socket that is not there': met('ENOENT'),
  'a reset': met('ECONNRESET'),
  'a broken pipe': met('EPIPE'),
  'no answer': met('ETIMEDOUT'),
  'no way to the host': met('EHOSTUNREACH'),
  'no way to the network': met('ENETUNREACH'),
  'a host that is down': met('EHOSTDOWN'),
  'no such name': met('ENOTFOUND'),
  'no name server': met('EAI_AGAIN'),
  'no port left': met('EADDRNOTAVAIL'),
  'no descriptor left': met('EMFILE'),
  'both addresses of a name': Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' }),
  'a connection that ended': new Error('Connection terminated unexpectedly'),
  'a connection that took too long': new Error('Connection terminated due to connection timeout'),
  'an answer that took too long': new Error('Query read timeout'),
  'one that answers, but takes no writes': new ReadOnlyDatabase()
}
const busy: Record<string, Error> = {
  'a lock': answered('55P03'),
  'a statement that took too long': answered('57014'),
  'a deadlock': answered('40P01'),
  'a conflict of transactions': answered('40001'),
  'a pool whose connections are all taken': new Error('timeout exceeded when trying to connect'),
  'a turn that has not come': new NoTurn()
}
const ours: Record<string, unknown> = {
  'a unique key': answered('23505'),
  'a check': answered('23514'),
  'no privilege': answered('42501'),
  'no such table': answered('42P01'),
  'bad text': answered('22021'),
  'a failed transaction': answered('25P02'),
  'a code that only begins like one': Object.assign(new Error('x'), { code: '08' }),
  'a code of Fastify': Object.assign(new Error('x'), { code: 'FST_ERR_CTP_EMPTY_JSON_BODY' }),
  'a fault of ours': new TypeError('x is not a function'),
  'a message that a code explains': answered('23505', 'Connection terminated'),
  'no error at all': 'ECONNREFUSED'
}

t.test('D3: one table says what is unavailable', async (t) => {
  for (const [name, error] of Object.entries(away)) t.equal(unavailabilityOf(error), 'away', name)
  for (const [name, error] of Object.entries(busy)) t.equal(unavailabilityOf(error), 'busy', name)
  for (const [name, error] of Object.entries(ours)) t.notOk(isUnavailable(error), name)
})

t.test('what waited for others may do better alone; what is away does not', async (t) => {
  t.ok(isContended(busy['a lock']))
  t.ok(isContended(busy['a deadlock']))
  t.notOk(isContended(busy['a pool whose connections are all taken']))
  t.notOk(isContended(away['a reset']))
})

function recorded() {
  const lines: Array<[string, object]> = []
  const outage = createOutage({
    warn: (about: object, text: string) => void lines.push([text, about]),
    info: (about: object, text: string) => void lines.push([text, about])
  } as Parameters<typeof createOutage>[0])
  return { lines, outage }
}

t.test('D9: an outage is told once, and its end with the count of what failed', async (t) => {
  let now = 0
  t.intercept(performance, 'now', { value: () => now })
  const { lines, outage } = recorded()
  outage.worked(true)
  outage.failed(busy['a lock'])
  t.notOk(outage.isStale(0), 'a lock is no outage')
  for (now = 1_000; now < 10_000; now += 100) outage.failed(away['nothing listens'])
  t.ok(outage.isStale(now), 'no connection is kept meanwhile')
  now = 10_500
  outage.worked(false)
  outage.failed(away['one that is starting'])
  now = 12_000
  outage.worked(false)
  outage.worked(false)
  t.ok(outage.isStale(10_499), 'nor one that was made before')
  t.notOk(outage.isStale(11_000))
  t.strictSame(lines, [
    ['the database is not available', { code: 'ECONNREFUSED', reason: 'connect ECONNREFUSED' }],
    ['the database is available again', { failures: 91, seconds: 11 }]
  ])
})

t.test('D9: a database that takes no writes is not back because it can be read', async (t) => {
  let now = 0
  t.intercept(performance, 'now', { value: () => now })
  const { lines, outage } = recorded()
  outage.failed(new ReadOnlyDatabase())
  now = 5_000
  outage.worked(false)
  t.equal(lines.length, 1)
  outage.worked(true)
  t.equal(lines.length, 2)
})
