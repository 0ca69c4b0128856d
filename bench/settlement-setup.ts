/** What a settlement report is measured with: payments that are paid, and a file about them. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { columns, csvOf, payoutOf } from '../test/settlement/generated.ts'
import { merchantAccount, returnOrigin } from './operations.ts'
import { startMain } from './processes.ts'
import { createTemplate, pushAccounts, seedOurs } from './seed.ts'
import { openClient, type Site } from './site.ts'
import { startInstance } from './targets.ts'

/** Lines about payments of ours, and about nobody here. */
export type Sizes = { matching: number; foreign: number }

const scopes = ['payments:read', 'payments:write', 'accounts:write', 'reconciliation:read']
  .concat('reconciliation:write')
  .flatMap((scope) => ['--scope', scope])

/** A database of that build with its payments, all captured; answers the key of its client. */
export async function prepare(
  site: Site,
  folder: string,
  at: number,
  sizes: Sizes
): Promise<string> {
  const [database, program] = [`template${at + 2}`, join(folder, 'src/main.ts')]
  const db = await openClient(site.url('postgres'), site.cleaner)
  await db.query(`create database ${database}`)
  await db.end()
  const run = async (...args: string[]) => {
    const log = join(site.folder, `${database}-${args[0]}.log`)
    const env = { DATABASE_URL: site.url(database) }
    const { process } = startMain(args, env, log, site.cleaner, program)
    await once(process, 'exit')
    return await readFile(log, 'utf8')
  }
  await run('migrate')
  const origin = ['--return-origin', returnOrigin]
  const client = await run('client', 'create', '--name', 'bench', ...origin, '--json', ...scopes)
  const { key } = JSON.parse(client) as { key: string }
  const instance = await startInstance(site, `${database}.log`, { database, program })
  await pushAccounts(instance.port, key)
  const template = await createTemplate(instance.port, key)
  await instance.stop()
  const ours = await openClient(site.url(database), site.cleaner)
  await seedOurs(ours, template, 1, sizes.matching)
  await ours.query(
    `insert into authorisation (reference, payment_id, currency, amount, outcome, disposition,
       reported)
     select 'PSP' || substr(id, 5), id, currency, amount, 'authorised', 'kept', '["authorised"]'
     from payment where idempotency_key like 'seed-%'`
  )
  await ours.query(
    `update payment set status = 'captured', authorisation_reference = 'PSP' || substr(id, 5),
       amount_authorised = amount, amount_captured = amount, finished_at = now(),
       next_attempt_at = null, lease = null, leased_until = null
     where idempotency_key like 'seed-%'`
  )
  await ours.query('vacuum (full, analyze)')
  await ours.end()
  return key
}

/** The report, in pieces: ours stand among the others, as evenly as can be. */
export async function* report({ matching, foreign }: Sizes): AsyncGenerator<Uint8Array> {
  const line = (own: Record<string, string>) => csvOf([own]).split('\n')[1] as string
  const names = { 'Psp Reference': '@psp', 'Merchant Reference': '@ref' }
  const sale = { ...names, 'Gross Credit (GC)': '@gross', 'Net Credit (NC)': '@net' }
  const [ours, others] = [merchantAccount, 'Other'].map((account) =>
    line({ ...sale, 'Merchant Account': account, 'Batch Number': account })
  ) as [string, string]
  const paid = new Map<string, number>()
  const step = Math.max(1, Math.floor((matching + foreign) / Math.max(1, matching)))
  let text = `${columns.join(',')}\n`
  for (let at = 0, made = 0; at < matching + foreign; at += 1) {
    const isOurs = made < matching && at % step === 0
    if (isOurs) made += 1
    const id = isOurs ? made.toString(16).padStart(16, '0') : `X${String(at).padStart(15, '0')}`
    const value = isOurs ? 100 + made : 2_500
    const isNamed = isOurs || at % 100 === 1
    const account = isNamed ? merchantAccount : 'Other'
    paid.set(account, (paid.get(account) ?? 0) + value - 22)
    const amount = (minor: number) => (minor / 100).toFixed(2)
    const own = { psp: `PSP${id}`, ref: `pay_${id}`, gross: amount(value), net: amount(value - 22) }
    const cell = (_: string, name: string) => own[name as keyof typeof own]
    text += `${(isNamed ? ours : others).replace(/@(psp|ref|gross|net)/g, cell)}\n`
    if (text.length < 65_536) continue
    yield Buffer.from(text)
    text = ''
  }
  for (const [account, value] of paid) {
    const own = { 'Merchant Account': account, 'Batch Number': account }
    text += `${line({ ...payoutOf((value / 100).toFixed(2)), ...own })}\n`
  }
  yield Buffer.from(text)
}
