import { escapeHtml, pageHeaders, toPage } from '../html.ts'
import type { Routes } from '../service-context.ts'
import { readGuide } from './guide.reader.ts'
import { guideNames, guides } from './guides.ts'

const list = guideNames.map((name) => `<li><a href="${name}">${escapeHtml(guides[name])}</a></li>`)
const index = `<ul>
${list.join('\n')}
<li><a href="problems">Every error, its cause and its cure</a></li>
<li><a href="./">The reference, where every request can be tried</a></li>
</ul>`
const wayBack = '<p><a href="guides">All guides</a></p>'

/** The guides as pages, each at `/docs/{name}`, and `/docs/guides`, which lists them. */
export const guideRoutes: Routes<never> = async (app) => {
  const isPublic = { schema: { hide: true }, config: { etag: true } }
  const headers = { ...pageHeaders, 'cache-control': 'public, max-age=300' }
  app.get('/docs/guides', isPublic, async (_, reply) =>
    reply.headers(headers).send(toPage('en', 'Guides to One-Off Payments', index))
  )
  for (const name of guideNames) {
    app.get(`/docs/${name}`, isPublic, async (_, reply) => {
      const { title, content } = await readGuide(name)
      return reply.headers(headers).send(toPage('en', title, `${wayBack}\n${content}`))
    })
  }
}
