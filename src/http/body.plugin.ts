import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Problem } from '../problem.ts'
import { parseExact } from './exact-json.ts'
import { configOf } from './route-config.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body is signed as it came, by somebody who may send what others may not. */
    signedBody?: boolean
    /** The numbers of its body count by their text: they are read from `exactBody`. */
    exactNumbers?: boolean
  }
  interface FastifyRequest {
    /** The body with its numbers as they were written; null where none counts by its text. */
    exactBody: unknown
    /** Of a signed body: its bytes, as they came; null of any other. */
    signedBytes: Buffer | null
  }
}

/**
 * Bodies are JSON in UTF-8 and not compressed, or nothing at all; Fastify would take text too,
 * refuse an empty one, and replace what is not UTF-8 without a word. What is signed is read in
 * whatever way it can be: nothing genuine is refused for its form.
 */
export function addBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  const parseSigned = app.getDefaultJsonParser('remove', 'remove')
  app.removeAllContentTypeParsers()
  app.decorateRequest('signedBytes', null)
  app.decorateRequest('exactBody', null)
  app.addHook('preParsing', (request, reply, _, done) => {
    const { is404, headers } = request
    if (is404 || !hasBody(request) || configOf(request).signedBody) return done()
    if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity') {
      reply.header('accept-encoding', 'identity')
      throw new Problem('content_type_unsupported', 'Send the body without Content-Encoding.')
    }
    if (!charsetsOf(request).every(isUtf8)) {
      throw new Problem('content_type_unsupported', 'Send the body in UTF-8.')
    }
    done()
  })
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = body as Buffer
    if (bytes.length === 0) done(null, undefined)
    else if (configOf(request).signedBody) {
      request.signedBytes = bytes
      parseSigned(request, decodeSigned(bytes, charsetsOf(request)[0]), done)
    } else {
      const text = decode(bytes, 'utf-8')
      if (text === undefined) return done(notUtf8())
      parse(request, text, (error, parsed) => {
        const { exactNumbers } = configOf(request)
        if (error === null && exactNumbers) request.exactBody = parseExact(text)
        done(error, parsed)
      })
    }
  })
}

export function hasBody({ headers }: FastifyRequest): boolean {
  return (headers['content-length'] ?? '0') !== '0' || Boolean(headers['transfer-encoding'])
}

export function notUtf8(): Problem {
  const errors = [{ pointer: '', detail: 'is not UTF-8' }]
  return new Problem('request_invalid', 'The body can’t be read.', { errors })
}

/** Each that is named: whoever stands before us might take another of them. */
function charsetsOf({ headers: { 'content-type': type = '' } }: FastifyRequest): string[] {
  if (!type.includes(';')) return []
  return [...type.matchAll(parameter)]
    .filter(([, name]) => name?.toLowerCase() === 'charset')
    .map(([, , quoted, plain = '']) => quoted ?? plain.trim())
}
/** RFC 9110, 5.6.6: what looks like a parameter within quotes is none. */
const parameter = /;\s*([^\s=;]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))/g

/** ASCII is a part of it. */
function isUtf8(charset: string): boolean {
  return /^(?:utf-?8|us-ascii)$/i.test(charset)
}

/** UTF-8 whatever it says, else what it says, else as what every byte is a character of. */
function decodeSigned(bytes: Buffer, charset = 'utf-8'): string {
  return decode(bytes, 'utf-8') ?? decode(bytes, charset) ?? bytes.toString('latin1')
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The text without its byte order mark; undefined where the bytes, or the charset, are none. */
function decode(bytes: Buffer, charset: string): string | undefined {
  try {
    const decoder = charset === 'utf-8' ? utf8 : new TextDecoder(charset, { fatal: true })
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}
