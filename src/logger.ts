import { type DestinationStream, type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import { hideCardNumbers } from './card-number.ts'

/** Never logged, in whatever object they come. */
const redacted = [
  'apiKey',
  'key',
  'password',
  'authorization',
  '*.apiKey',
  '*.key',
  '*.password',
  '*.authorization',
  'req.headers',
  'err.config',
  'err.responseBody',
  'err.parameters',
  'err.detail'
]

/** JSON lines; on a terminal lines that a person reads. */
export function createLogger(
  level: string,
  terminal: boolean,
  stream: 'stdout' | 'stderr'
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
    : pino.destination({ fd, sync: true })
  return pino(logOptions(level), destination)
}

/** What is written has no card number, also where somebody else's error holds one. */
export function logOptions(level: string) {
  return {
    level,
    redact: { paths: redacted, censor: '[hidden]' },
    timestamp: pino.stdTimeFunctions.isoTime,
    base: null,
    hooks: { streamWrite: hideCardNumbers }
  }
}
