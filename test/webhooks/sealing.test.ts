/** Secrets of webhook endpoints: sealed where they are kept, and open to whoever has the keys. */
import { sql } from 'kysely'
import t from 'tap'
import { sealSecrets } from '../../src/webhooks/sealing.jobs.ts'
import { createSealing } from '../../src/webhooks/sealing.ts'
import { findMissingKeys } from '../../src/webhooks/webhook.store.ts'
import { eventually } from '../feed/consumer.ts'
import { testService } from '../test-service.ts'
import { deskOf, subscribe } from './receivers.ts'

const [one, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)] as const

t.test('what is sealed opens with its key, for its owner, and unchanged', async (t) => {
  const sealing = createSealing([one])
  const kept = sealing.seal('whsec_a', 'whe_1')
  t.match(kept, /^sealed\.[0-9a-f]{16}\.[\w-]+$/)
  t.not(sealing.seal('whsec_a', 'whe_1'), kept, 'each time otherwise')
  t.equal(sealing.open(kept, 'whe_1'), 'whsec_a')
  t.equal(createSealing([other, one]).open(kept, 'whe_1'), 'whsec_a', 'any key opens')
  t.throws(() => sealing.open(kept, 'whe_2'), 'another owner')
  t.throws(() => createSealing([other]).open(kept, 'whe_1'), /SEALING_KEYS has no key/)
  const changed = kept.replace(/.(?=.{8}$)/, (one) => (one === 'A' ? 'B' : 'A'))
  t.throws(() => sealing.open(changed, 'whe_1'))
  t.throws(() => sealing.open(kept.slice(0, 40), 'whe_1'), 'one that is cut')
  t.equal(createSealing([]).seal('whsec_a', 'whe_1'), 'whsec_a', 'without a key it stays')
  t.equal(sealing.open('whsec_a', 'whe_1'), 'whsec_a', 'what was kept before still opens')
})

t.test('F12: no table has a secret that signs', async (t) => {
  const service = await testService(t, { sealingKeys: [one] })
  const { call, db } = service
  const desk = deskOf(service)
  const kept = async () => {
    const { rows } = await sql<{ text: string }>`
      select to_jsonb(e)::text as text from webhook_endpoint e
      union all select to_jsonb(k)::text from idempotency_key k`.execute(db)
    return rows.map(({ text }) => text).join('\n')
  }
  const test = async (id: string, seen: unknown[]) => {
    const before = seen.length
    await desk.ask(202, 'POST', `/v1/webhook-endpoints/${id}/test`)
    await eventually(
      () => seen.length,
      (count) => count > before
    )
  }

  const body = { url: 'http://127.0.0.1:9/a', events: ['*'] }
  const create = () => call('POST', '/v1/webhook-endpoints', { body, idempotencyKey: 'sealed' })
  const first = await create()
  t.match(first.body.secret, /^whsec_/)
  t.equal((await create()).text, first.text, 'repeated byte for byte')
  const consumer = await subscribe(t, desk)
  const rotation = `/v1/webhook-endpoints/${consumer.id}/secret-rotation`
  const rotate = () => call('POST', rotation, { idempotencyKey: 'rotated' })
  const rotated = await rotate()
  t.match(rotated.body.secret, /^whsec_/)
  t.equal((await rotate()).text, rotated.text)
  t.notMatch(await kept(), 'whsec_')
  t.match(await kept(), /sealed\..*sealed\./s)
  consumer.state.secrets.push(rotated.body.secret)
  await test(consumer.id, consumer.seen)
  t.same(consumer.faults, [], 'the old secret signs and the new one')

  t.test('a key that comes first seals anew what another sealed, or none', async (t) => {
    await sql`
      update webhook_endpoint set secret = ${first.body.secret}
      where id = ${first.body.id}`.execute(db)
    const faults: unknown[] = []
    const seal = (keys: Buffer[]) =>
      sealSecrets({ db, sealing: createSealing(keys) }, (_, error) => faults.push(error))
    t.equal(await seal([]), 0, 'without a key there is nothing to do')
    t.equal(await seal([other, one]), 2)
    t.equal(await seal([other, one]), 0, 'once')
    t.same(faults, [])
    t.same(await findMissingKeys(db, createSealing([other]).keyIds), [])
    t.same(await findMissingKeys(db, createSealing([one]).keyIds), createSealing([other]).keyIds)
    t.notMatch(await kept(), 'whsec_')
    t.equal(await seal([one]), 0, 'what no key opens stays, and is told')
    t.match(faults, [/SEALING_KEYS/, /SEALING_KEYS/])
    t.equal(await seal([one, other]), 2)
    await test(consumer.id, consumer.seen)
    t.same(consumer.faults, [])
  })
})
