/**
 * The document for generators that know OpenAPI 3.0 alone, on the standard output. It says less:
 * what depends on another field, and the webhooks, whose events stay among the schemas.
 */
import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { parse, stringify } from 'yaml'

type Node = { [key: string]: unknown }

const file = new URL('../openapi/payments.v1.yaml', import.meta.url)
/** Of JSON Schema 2020-12, unknown to 3.0. */
const unknown = ['if', 'then', 'else', 'propertyNames']

export async function readOpenApi30(): Promise<Node> {
  const { webhooks: _, info, ...rest } = parse(await readFile(file, 'utf8'))
  const { identifier: __, ...license } = info.license
  return lower({ ...rest, openapi: '3.0.3', info: { ...info, license } }) as Node
}

function lower(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(lower)
  if (typeof node !== 'object' || node === null) return node
  const entries = Object.entries(node).filter(([key]) => !unknown.includes(key))
  return lowerSchema(Object.fromEntries(entries.map(([key, value]) => [key, lower(value)])))
}

function lowerSchema({ anyOf, allOf, examples, ...node }: Node): Node {
  if (Array.isArray(examples)) node.example = examples[0]
  else if (examples !== undefined) node.examples = examples
  if ('const' in node) {
    node.enum = [node.const]
    delete node.const
  }
  if (node.type === 'null') return { ...node, type: 'string', enum: [null], nullable: true }
  // Conditions alone: nothing is left of them.
  const parts = (allOf as Node[] | undefined)?.filter((part) => Object.keys(part).length > 0)
  if (parts?.length) node.allOf = parts
  if (Array.isArray(anyOf)) return orNull(node, anyOf)
  requireFilled(node)
  // Nothing stands beside a $ref in 3.0.
  return typeof node.$ref === 'string' ? { $ref: node.$ref } : node
}

/** What may be null is not required: many generators take one for the other. */
function requireFilled(node: Node): void {
  const { properties, required } = node as {
    properties?: Record<string, Node>
    required?: string[]
  }
  if (properties === undefined || !Array.isArray(required)) return
  const filled = required.filter((name) => properties[name]?.nullable !== true)
  if (filled.length > 0) node.required = filled
  else delete node.required
}

/** `{ "type": "null" }` among the choices is lowered by now. */
function orNull(node: Node, choices: readonly Node[]): Node {
  const others = choices.filter(
    ({ enum: values }) => !(Array.isArray(values) && values[0] === null)
  )
  const nullable = others.length < choices.length && { nullable: true }
  if (others.length > 1) return { ...node, anyOf: others, ...nullable }
  const [only = {}] = others
  return '$ref' in only
    ? { ...node, allOf: [only], ...nullable }
    : { ...only, ...node, ...nullable }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.stdout.write(stringify(await readOpenApi30(), { aliasDuplicateObjects: false }))
}
