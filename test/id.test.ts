import t from 'tap'
import { readTime } from '../src/database-clock.ts'
import { newId, smallestIdAt } from '../src/id.ts'

const shape = /^pay_[0-9a-hjkmnp-tv-z]{16}$/

t.test('an id fits into the 20 characters of the billing system', async (t) => {
  const id = newId('pay')
  t.equal(id.length, 20)
  t.match(id, shape)
})

t.test('a hundred thousand ids are unique, and sort as they were made', async (t) => {
  const ids = Array.from({ length: 100_000 }, () => newId('pay'))
  t.equal(new Set(ids).size, ids.length)
  t.notOk(
    ids.some((id, place) => place > 0 && id <= (ids[place - 1] as string)),
    'each is greater than the one before'
  )
  t.ok(ids.every((id) => shape.test(id)))
})

t.test('ids of several kinds never meet', async (t) => {
  const parts = (['pay', 'rev', 'dis', 'txn'] as const).map((prefix) => newId(prefix).slice(4))
  t.equal(new Set(parts).size, parts.length)
})

t.test('an id tells when it was made', async (t) => {
  const before = readTime()
  const id = newId('pay')
  const after = new Date(readTime().getTime() + 1)
  t.ok(smallestIdAt('pay', before) <= id, 'not before')
  t.ok(id < smallestIdAt('pay', after), 'not after')
})

t.test('the smallest ids of times sort as the times do', async (t) => {
  const times = [0, 1, 31, 32, 1_000, 2 ** 31, 2 ** 32, 1_700_000_000_000, 4_102_444_800_000]
  const ids = times.map((time) => smallestIdAt('pay', new Date(time)))
  t.same([...ids].sort(), ids)
  t.equal(new Set(ids).size, ids.length)
  t.ok(ids.every((id) => shape.test(id)))
})
