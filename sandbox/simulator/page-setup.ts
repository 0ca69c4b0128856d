import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { STYLE } from './card-page.style.ts'
import { noticePage } from './page-shell.ts'

/**
 * No script at all, and only this one style. There is no form-action: browsers apply it to the
 * redirects after a form too, and where those end is up to the merchant.
 */
const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
    "base-uri 'none'",
    "frame-ancestors 'none'"
  ].join('; '),
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff'
}

/** What all pages for shoppers have in common. */
export function setUpPages(app: FastifyInstance): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(HEADERS)
  })
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body)))
  )
  app.setNotFoundHandler((_request, reply) => sendUnknown(reply))
}

export function sendUnknown(reply: FastifyReply): FastifyReply {
  const text = 'Check the address, or go back to where you came from and start again.'
  return reply
    .code(404)
    .send(noticePage({ title: 'There is no such payment', text, merchant: null }))
}
