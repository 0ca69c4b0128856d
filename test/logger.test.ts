/** What is written of errors, and that no line is lost. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import t from 'tap'
import { logOptions } from '../src/logger.ts'

function logged(error: unknown): Record<string, unknown> {
  const lines: string[] = []
  const log = pino(logOptions('info'), { write: (line) => void lines.push(line) })
  log.error({ err: error }, 'a fault')
  return JSON.parse(lines.join('')).err
}

t.test('an error is logged by what is told of any, and by nothing else that it holds', (t) => {
  const secret = 'do-not-tell'
  const error = Object.assign(new Error('outer', { cause: new TypeError('inner') }), {
    code: '23505',
    table: 'payment',
    statusCode: 422,
    key: secret,
    config: { apiKey: secret },
    responseBody: secret,
    parameters: [secret],
    detail: secret,
    request: { headers: { authorization: secret } }
  })
  const written = logged(error)
  t.match(written, {
    type: 'Error',
    message: 'outer: inner',
    code: '23505',
    table: 'payment',
    statusCode: 422
  })
  t.match(written.stack, /Error: outer[\s\S]+caused by: TypeError: inner/)
  t.notMatch(JSON.stringify(written), secret)
  t.notMatch(JSON.stringify(logged(new AggregateError([error], 'all'))), secret)
  t.match(logged(new AggregateError([error])), { aggregateErrors: [{ code: '23505' }] })
  t.match(logged({ message: 'not of Error', key: secret }), { message: 'not of Error' })
  for (const thrown of ['text', null, 7, { key: secret }]) {
    t.same(logged(thrown), { type: typeof thrown, message: String(thrown) })
  }
  t.end()
})

t.test('a process that ends, or fails, has written every line', (t) => {
  const logger = fileURLToPath(new URL('../src/logger.ts', import.meta.url))
  const program = (end: string) => `
    const { createLogger } = await import(${JSON.stringify(logger)})
    const log = createLogger('info', false, 'stdout')
    for (let n = 0; n < 200; n++) log.info({ n, text: 'x'.repeat(n) }, 'line')
    ${end}`
  for (const end of ['', 'process.exit(1)', 'throw new Error()', "log.fatal('end')"]) {
    const args = ['--input-type=module', '--eval', program(end)]
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    const lines = stdout.split('\n').filter((line) => line.includes('"line"'))
    t.same(
      lines.map((line) => JSON.parse(line).n),
      Array.from({ length: 200 }, (_, n) => n),
      end
    )
  }
  t.end()
})
