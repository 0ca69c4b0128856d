import { STYLE } from './card-page.style.ts'

/** What a shopper sees who comes when nothing can be paid here (any more). */
export type Notice = {
  title: string
  text: string
  /** Whose page it is; null where nobody knows. */
  merchant: string | null
  button?: { label: string; address: string }
}

export function noticePage({ title, text, merchant, button }: Notice): string {
  const link =
    button === undefined
      ? ''
      : `<p><a class="button" href="${safe(button.address)}">${safe(button.label)}</a></p>`
  return page(
    title,
    merchant,
    `<section class="panel notice" aria-labelledby="notice">
<h1 id="notice">${safe(title)}</h1>
<p>${safe(text)}</p>
${link}
</section>`
  )
}

/** A whole document: no script, no resource from elsewhere. */
export function page(title: string, merchant: string | null, content: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${safe(merchant === null ? title : `${title} - ${merchant}`)}</title>
<style>${STYLE}</style>
</head>
<body>
<p class="banner" role="note"><strong>Simulator.</strong> No money moves on this page.
Never enter a real card: use a test card.</p>
<main>
${content}
</main>
</body>
</html>
`
}

export const LOCK = `<svg aria-hidden="true" width="14" height="16" viewBox="0 0 14 16"><path
fill="currentColor" d="M7 0a4 4 0 0 0-4 4v3H2a1 1 0 0 0-1 1v7a1 1 0 0 0 1 1h10a1 1 0 0 0
1-1V8a1 1 0 0 0-1-1h-1V4a4 4 0 0 0-4-4Zm2.200 7H4.800V4a2.200 2.200 0 0 1 4.400 0Z"/></svg>`

export function safe(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;'
  }
  return text.replace(/[&<>"']/g, (sign) => entities[sign] ?? sign)
}
