/** What PostgreSQL did for each statement that this process sends: plans, buffers and rows. */
import pg from 'pg'

export type Plan = {
  text: string
  /** Pages, of memory or of disk. */
  buffers: number
  /** Rows that were read, also where a filter left them out. */
  rows: number
  ms: number
  /** Tables that were read from end to end, with as many rows as were read of each. */
  scanned: Array<{ table: string; rows: number }>
}

type Node = {
  'Node Type': string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Rows Removed by Index Recheck'?: number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: Node[]
}

type Query = (this: pg.Client, first: unknown, ...rest: unknown[]) => unknown

/** A plan that is kept is chosen at the sixth time. */
const tries = 5
const explain = 'explain (analyze, buffers, timing off, format json)'

/**
 * Runs `work` and answers the plan of each statement in it. Each is planned and run as the service
 * has it, by parameters that are bound or by a statement that is prepared and was used before; what
 * that wrote is taken back, and then the statement itself runs.
 */
export async function watchPlans(work: () => Promise<unknown>): Promise<Plan[]> {
  const plans: Plan[] = []
  const open = new WeakSet<pg.Client>()
  const { prototype } = pg.Client
  const original = prototype.query as unknown as Query
  async function watched(client: pg.Client, config: Asked, rest: unknown[]): Promise<unknown> {
    const plain = (text: string) => original.call(client, text) as Promise<unknown>
    const inside = open.has(client)
    await plain(inside ? 'savepoint growth' : 'begin')
    try {
      plans.push(await planOf(client, original, config))
    } finally {
      await plain(inside ? 'rollback to savepoint growth' : 'rollback')
    }
    return await original.call(client, config, ...rest)
  }
  prototype.query = function (this: pg.Client, first: unknown, ...rest: unknown[]) {
    const config = (typeof first === 'string' ? { text: first, values: rest[0] } : first) as Asked
    const text = config.text?.replace(/^(\s|\/\*.*?\*\/)+/, '') ?? ''
    if (/^(begin|start transaction)/i.test(text)) open.add(this)
    if (/^(commit|rollback$)/i.test(text)) open.delete(this)
    const isWatched = /^(select|with|insert|update|delete)\b/i.test(text)
    const isCalledBack = rest.some((one) => typeof one === 'function')
    if (!isWatched || isCalledBack) return original.call(this, first, ...rest)
    return watched(this, config, [])
  } as unknown as typeof prototype.query
  try {
    await work()
  } finally {
    prototype.query = original as unknown as typeof prototype.query
  }
  return plans
}

type Asked = { name?: string; text: string; values?: unknown[] }

async function planOf(client: pg.Client, query: Query, config: Asked): Promise<Plan> {
  const { name, text, values = [] } = config
  const ask = async (asked: string, given: unknown[] = []) =>
    (await query.call(client, { text: asked, values: given })) as pg.QueryResult
  if (name === undefined) return toPlan(text, await ask(`${explain} ${text}`, values))
  await ask(`prepare growth as ${text}`)
  try {
    const execute = `execute growth(${values.map((value) => literal(client, value)).join(', ')})`
    for (let n = 0; n < tries; n += 1) await ask(`explain ${execute}`)
    return toPlan(text, await ask(`${explain} ${execute}`))
  } finally {
    await ask('deallocate growth').catch(() => {})
  }
}

function literal(client: pg.Client, value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) {
    const all = value.map((one) => (one === null ? 'null' : JSON.stringify(String(one))))
    return client.escapeLiteral(`{${all.join(',')}}`)
  }
  if (value instanceof Date) return client.escapeLiteral(value.toISOString())
  if (Buffer.isBuffer(value)) return client.escapeLiteral(`\\x${value.toString('hex')}`)
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return client.escapeLiteral(text)
}

function toPlan(text: string, { rows: [row] }: pg.QueryResult): Plan {
  const [{ Plan: root, 'Execution Time': ms }] = row['QUERY PLAN']
  const nodes = flatten(root)
  const scans = nodes.filter((node) => node['Relation Name'] !== undefined)
  return {
    text,
    buffers: root['Shared Hit Blocks'] + root['Shared Read Blocks'],
    rows: Math.round(scans.reduce((sum, node) => sum + rowsOf(node), 0)),
    ms,
    scanned: scans
      .filter((node) => node['Node Type'] === 'Seq Scan')
      .map((node) => ({ table: node['Relation Name'] as string, rows: rowsOf(node) }))
  }
}

const flatten = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flatten)]

function rowsOf(node: Node): number {
  const left = (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)
  return (node['Actual Rows'] + left) * node['Actual Loops']
}
