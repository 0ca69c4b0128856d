/** Guides are Markdown in `docs/`, for readers of the repository, and pages for everybody else. */
import { readFile } from 'node:fs/promises'
import { Marked, type Tokens } from 'marked'

const folder = new URL('../../docs/', import.meta.url)

/** A guide as a page shows it: `content` is HTML. */
export type Guide = { title: string; content: string }

/** The guide of this name, which must be one of ours. Times and amounts are as its author wrote. */
export async function readGuide(name: string): Promise<Guide> {
  return toGuide(await readFile(new URL(`${name}.md`, folder), 'utf8'))
}

/** The first heading is the title; headings have the anchors that they have in the repository. */
export function toGuide(markdown: string): Guide {
  const [, title = '', rest = ''] = /^# ([^\n]+)\n(.*)$/s.exec(markdown) ?? []
  return { title, content: pages.parse(rest, { async: false }) }
}

const pages = new Marked({
  renderer: {
    heading({ tokens, depth, text }: Tokens.Heading): string {
      const html = this.parser.parseInline(tokens)
      return `<h${depth} id="${anchorOf(text)}">${html}</h${depth}>\n`
    },
    // A page is its guide's name; in the repository it is a file.
    link({ href, tokens }: Tokens.Link): string {
      const address = href.replace(/^([\w-]+)\.md(?=#|$)/, '$1')
      return `<a href="${address.replaceAll('"', '&quot;')}">${this.parser.parseInline(tokens)}</a>`
    },
    // So wide that a phone scrolls it, and reachable by the keyboard for that.
    table(token: Tokens.Table): string {
      const row = (cells: Tokens.TableCell[], tag: string) => {
        const shown = cells.map((cell) => this.parser.parseInline(cell.tokens))
        return `<tr>${shown.map((html) => `<${tag}>${html}</${tag}>`).join('')}</tr>`
      }
      const rows = token.rows.map((cells) => row(cells, 'td')).join('\n')
      const table = `<table>\n${row(token.header, 'th')}\n${rows}\n</table>`
      return `<div class="wide" tabindex="0" role="region" aria-label="Table">${table}</div>\n`
    }
  }
})

/** As repositories make it: small letters, dashes for spaces, and no other signs. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}
