/** All that the operations may answer that tell a client of outcomes. */
import t from 'tap'
import { eventually, judgedService } from './judged.ts'

t.test('every answer about outcomes is what the document says', async (t) => {
  const service = await judgedService(t)
  const { meet, call, createPayment, pay, until } = service
  const { id } = await createPayment()
  await pay(id)
  await until(id, ({ status }) => status === 'captured')
  const feed = () => call('GET', '/v1/events')
  await eventually(feed, ({ body }) => body.data.length >= 2)
  const { body: whole } = await meet(200, 'listEvents')
  const { body: first } = await meet(200, 'listEvents', [], { query: '?limit=1' })
  const query = `?after=${first.nextCursor}`
  const { body: rest } = await meet(200, 'listEvents', [], { query })
  t.same([...first.data, ...rest.data], whole.data)
  t.same(service.findUnmet('Outcomes'), [])
})
