/** What the pages that a person may meet here have in common: no script, nothing from elsewhere. */
import { hash } from 'node:crypto'

/** Colours meet WCAG 2.2 AA on their backgrounds (4.5:1), in the light and in the dark. */
const style = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1b2433, #e8ecf4); --soft: light-dark(#56617a, #a9b4c9);
  --paper: light-dark(#fff, #1c2330); --ground: light-dark(#f2f4f8, #10151e);
  --line: light-dark(#d6dbe6, #36415a); --link: light-dark(#0b57a4, #8fc1ff);
}
* { box-sizing: border-box }
body {
  margin: 0; padding: 16px; background: var(--ground); color: var(--ink);
  font: 17px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif;
}
main {
  max-width: 640px; margin: 4vh auto; padding: clamp(20px, 5vw, 40px); overflow-wrap: anywhere;
  background: var(--paper); border: 1px solid var(--line); border-radius: 12px;
}
main:has(.wide, pre) { max-width: 960px }
h1 { font-size: 26px; line-height: 1.25; margin: 0 }
h2 { font-size: 18px; margin: 32px 0 0 }
p, ul { margin: 12px 0 0 }
ul { padding-left: 20px }
dl { margin: 24px 0 0; display: grid; grid-template-columns: auto 1fr; gap: 8px 24px }
dt { color: var(--soft) }
dd { margin: 0; font-weight: 600 }
a { color: var(--link) }
p > a:only-child { display: inline-block; padding: 10px 0 }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px }
:target { text-decoration: underline 4px var(--line) }
code { font: 14px/1.5 ui-monospace, Menlo, Consolas, monospace }
pre {
  margin: 8px 0 0; padding: 12px; background: var(--ground); border: 1px solid var(--line);
  border-radius: 8px; white-space: pre-wrap;
}
.wide { margin: 12px 0 0; overflow-x: auto; overflow-wrap: normal }
table { width: 100%; margin: 12px 0 0; border-collapse: collapse }
th, td { border-top: 1px solid var(--line); text-align: start; vertical-align: top }
.wide th, .wide td {
  min-width: 5em; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); font-size: 15px
}
.sums th, .sums td { padding: 8px 0; font-weight: 400 }
.sums td { padding-inline-start: 24px; text-align: end; font-weight: 600; white-space: nowrap }
@page { margin: 20mm }
@media print {
  body, main { margin: 0; padding: 0; border: 0; background: #fff; color-scheme: light }
}
`

export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${hash('sha256', style, 'base64')}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join('; '),
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex'
}

/** A whole document, whose `content` is HTML; the title is text, and its one heading as well. */
export function toPage(language: string, title: string, content: string): string {
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${content}
</main>
</body>
</html>
`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}

/** Text, for an element or an attribute in quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => entities[sign] as string)
}
