import { currentSpan, isSampled, type Span } from './span.ts'

/** Begins the span of a statement, where it is a part of something that is traced. */
export function beginStatement(text: unknown): Span | undefined {
  const span = currentSpan()
  if (span === undefined || !isSampled(span.context) || typeof text !== 'string') return undefined
  const summary = summaryOf(text)
  return span.begin(summary, {
    isCall: true,
    attributes: {
      'db.system.name': 'postgresql',
      'db.query.summary': summary,
      'db.query.text': withoutTexts(text)
    }
  })
}

const writes = /\b(insert into|update|delete from) (?!set |of |skip )"?(\w+)/g
const sources = /\b(?:from|join) (?!lateral )"?([a-z_]\w*)/g
const parts = /\bextract\(\w+ from /g
/** Of a statement that has more to do with, the first ones. */
const namedMax = 4

/**
 * What it does to which tables, such as `INSERT payment`, or which it reads: by the words of its
 * text alone, and the same for each run of it.
 */
export function summaryOf(text: string): string {
  const written = [...text.matchAll(writes)].map(
    ([, what = '', table]) => `${what.split(' ')[0]?.toUpperCase()} ${table}`
  )
  if (written.length > 0) return [...new Set(written)].slice(0, namedMax).join(' ')
  const [word = ''] = /\w+/.exec(text) ?? []
  const read = [...text.replaceAll(parts, '').matchAll(sources)].map(([, table]) => table)
  return [word === 'with' ? 'SELECT' : word.toUpperCase(), ...new Set(read)]
    .slice(0, 1 + namedMax)
    .join(' ')
}

/** Values are parameters, and not here; constants might be some, and no reader needs them. */
export const withoutTexts = (text: string): string => text.replaceAll(/'[^']*'/g, '?')
