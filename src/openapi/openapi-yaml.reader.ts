/** The form in which people read a document. */
import { Document, parse, visit } from 'yaml'
import { hasUnseen, showUnseen } from './openapi-document.ts'

/** What fits on a line stands on one: else most lines of the file would hold a single word. */
export function toYaml(document: object): string {
  const written = new Document(document, { aliasDuplicateObjects: false })
  visit(written, {
    Scalar(_, node) {
      if (hasUnseen(String(node.value))) node.type = 'QUOTE_DOUBLE'
    },
    Collection(key, node, path) {
      const indent = 2 * path.filter((one) => 'items' in one).length
      const [pair] = path.slice(-1)
      const name = key === 'value' && pair !== undefined && 'key' in pair ? String(pair.key) : '-'
      const inline = JSON.stringify(node)
      // Spaces after commas and colons, and no quotes around most words.
      if (indent + name.length + inline.length > lineWidth || inline.includes('\\n')) return
      node.flow = true
      return visit.SKIP
    }
  })
  return showUnseen(fillLists(written.toString({ lineWidth, blockQuote: 'literal' })))
}

/** Lists of words, and examples of problems, stand on as many lines as they need. */
function fillLists(yaml: string): string {
  return yaml
    .replace(/^( *)(\w+):\n((?:\1 {2}- [\w."*-]+\n)+)/gm, (_, indent, name, list) => {
      const words = list.split('\n').map((line: string) => line.replace(/^ *- /, ''))
      return fill(`${indent}${name}: [`, words.filter(Boolean), ']')
    })
    .replace(/^( *)value:\n((?:\1 {2,}\S.*\n)+)/gm, (_, indent, block) => {
      const members = Object.entries(parse(block))
      const written = members.map(([name, value]) => {
        const key = /^\w+$/.test(name) ? name : JSON.stringify(name)
        return `${key}: ${JSON.stringify(value)}`
      })
      return fill(`${indent}value: {`, written, '}')
    })
}

function fill(begin: string, items: readonly string[], end: string): string {
  const indent = `${/^ */.exec(begin)?.[0]}  `
  const lines = [begin]
  for (const item of items) {
    const last = lines.at(-1) as string
    if (last.length + item.length + 3 > lineWidth) lines.push(`${indent}${item},`)
    else lines[lines.length - 1] = `${last} ${item},`
  }
  return `${lines.join('\n').slice(0, -1)} ${end}\n`
}
const lineWidth = 132
