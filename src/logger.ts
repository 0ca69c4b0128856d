import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import { hideCardNumbers } from './card-number.ts'
import { idsOfTrace } from './tracing/span.ts'

/** JSON lines; on a terminal lines that a person reads. `isTraced`: lines name their trace. */
export function createLogger(
  level: string,
  terminal: boolean,
  stream: 'stdout' | 'stderr',
  isTraced = false
): Logger {
  const fd = stream === 'stdout' ? 1 : 2
  const destination: DestinationStream = terminal
    ? pretty({
        colorize: true,
        singleLine: true,
        ignore: 'reqId',
        translateTime: 'HH:MM:ss.l',
        destination: fd,
        sync: true
      })
    : createLines(fd)
  return pino(logOptions(level, isTraced), destination)
}

/** Written at once where so much has gathered, bytes. */
const gatheredMax = 8_192

/**
 * The lines of one turn of the event loop in one write, which is synchronous: a process that ends
 * by itself loses none, and one that is killed those of its last turn at most.
 */
function createLines(fd: number): DestinationStream {
  const lines = pino.destination({ fd, sync: true, minLength: gatheredMax })
  let isDue = false
  const flush = () => {
    if (isDue) lines.flush()
    isDue = false
  }
  process.once('exit', flush)
  return {
    write(line) {
      lines.write(line)
      if (!isDue) setImmediate(flush)
      isDue = true
    }
  }
}

/**
 * Whoever logs names each field, and no secret is among them. But an error is somebody else's, and
 * is logged by what is named here; and what is written has no card number, whatever holds one.
 */
export function logOptions(level: string, isTraced = false) {
  return {
    ...(isTraced && { mixin: idsOfTrace }),
    level,
    serializers: { err: toLoggedError },
    timestamp: pino.stdTimeFunctions.isoTime,
    base: null,
    hooks: { streamWrite: hideCardNumbers }
  }
}

/**
 * Texts and numbers of an error that are logged: neither what was asked nor what was answered. Not
 * PostgreSQL's `where` and `detail`, which quote rows.
 */
const toldOfErrors = [
  ...['code', 'errno', 'syscall', 'address', 'port', 'hostname', 'path', 'statusCode', 'errorCode'],
  ...['severity', 'hint', 'position', 'schema', 'table', 'column', 'constraint'],
  ...['routine', 'pspReference', 'paymentId']
]

/** An error with its causes; what was thrown and is none, as text. */
function toLoggedError(error: unknown): Record<string, unknown> {
  if (!isErrorLike(error)) return { type: typeof error, message: String(error) }
  const { type, message, stack } = pino.stdSerializers.err(error)
  const told = Object.entries(error).filter(
    ([name, value]) => toldOfErrors.includes(name) && /^(string|number)$/.test(typeof value)
  )
  const parts = error instanceof AggregateError && {
    aggregateErrors: error.errors.map(toLoggedError)
  }
  return { type, message, stack, ...parts, ...Object.fromEntries(told) }
}

const isErrorLike = (error: unknown): error is Error =>
  typeof (error as Error | null | undefined)?.message === 'string'
