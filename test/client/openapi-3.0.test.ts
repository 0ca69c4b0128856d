import t from 'tap'
import { readOpenApi30 } from '../../clients/openapi-3.0.ts'

type Node = Record<string, unknown>

// biome-ignore lint/suspicious/noExplicitAny: what a test finds is what it asserts.
const document: any = await readOpenApi30()

/** Every object of a document, with the way to it. */
function* nodesOf(node: unknown, way = '#'): Generator<[way: string, node: Node]> {
  if (typeof node !== 'object' || node === null) return
  if (!Array.isArray(node)) yield [way, node as Node]
  for (const [key, value] of Object.entries(node)) yield* nodesOf(value, `${way}/${key}`)
}

t.test('the document for OpenAPI 3.0 has nothing that came later', async (t) => {
  t.equal(document.openapi, '3.0.3')
  t.notOk('webhooks' in document)
  const faults: string[] = []
  const refs = new Set<string>()
  for (const [way, node] of nodesOf(document)) {
    // Examples hold what they like, and the names of fields are no words of a schema.
    if (/\/(examples?|properties)(\/|$)/.test(way.replace(/\/properties\/[^/]+/g, ''))) continue
    const later = ['const', 'if', 'then', 'else', 'propertyNames'].filter((word) => word in node)
    if (later.length > 0) faults.push(`${way}: ${later}`)
    if (node.type === 'null' || Array.isArray(node.type)) faults.push(`${way}: null as a type`)
    if (typeof node.$ref !== 'string') continue
    refs.add(node.$ref)
    if (Object.keys(node).length > 1) faults.push(`${way}: beside a $ref`)
  }
  t.same(faults, [])
  t.ok(refs.size > 100)
  for (const ref of refs) {
    const target = ref
      .slice(2)
      .split('/')
      .reduce((node, key) => node?.[key], document)
    t.ok(target, ref)
  }
})

t.test('what it says is what the document says', async (t) => {
  const { schemas } = document.components
  const { properties, required } = schemas.Payment
  t.same(properties.failure, {
    allOf: [{ $ref: '#/components/schemas/Failure' }],
    nullable: true
  })
  t.match(properties.reference, { type: 'string', nullable: true, description: /own/ })
  t.ok(required.includes('status'))
  t.notOk(required.includes('failure'), 'what may be null is not required')
  t.same(schemas.PaymentCapturedEvent.properties.type.enum, ['payment.captured'])
  t.match(schemas.WebhookEvent.discriminator.mapping, {
    'payment.captured': '#/components/schemas/PaymentCapturedEvent'
  })
  t.notOk('allOf' in schemas.CreatePayment, 'conditions are gone')
  t.match(schemas.CreatePayment.example, { channel: 'selfcare' })
})
