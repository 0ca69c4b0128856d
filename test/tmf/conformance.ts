/**
 * What TM Forum's conformance profiles ask of reading, of one resource: attributes are selected one
 * by one, and lists are filtered by what the resource says of itself.
 */
import type { Test } from 'tap'
import type { TestService } from '../test-service.ts'

/** `collection`: the path of the list that has the resource; `filters`: by which it is filtered. */
export async function checkReading(
  t: Test,
  { call }: Pick<TestService, 'call'>,
  collection: string,
  resource: Record<string, unknown>,
  filters: readonly string[]
): Promise<void> {
  const { id } = resource
  const always = ['id', 'href', '@type']
  for (const [name, value] of Object.entries(resource)) {
    const query = `fields=${encodeURIComponent(name)}`
    const { status, body } = await call('GET', `${collection}/${id}?${query}`)
    t.equal(status, 200, `${id} ${name}`)
    t.strictSame(body[name], value, `${id} ${name}`)
    const expected = Object.keys(resource).filter((one) => always.includes(one) || one === name)
    t.same(Object.keys(body), expected, `${id} ${name} alone`)
  }
  const told = filters.filter((name) => typeof resource[name] === 'string')
  t.ok(told.length > 3)
  for (const name of told) {
    const value = String(resource[name])
    const { status, body } = await call('GET', `${collection}?${name}=${encodeURIComponent(value)}`)
    t.equal(status, 200, `${name}=${value}`)
    const found: Array<Record<string, unknown>> = body
    t.ok(
      found.some((one) => one.id === id),
      `${name}=${value} finds it`
    )
    t.same([...new Set(found.map((one) => one[name]))], [value], `${name}=${value} finds no other`)
  }
}
