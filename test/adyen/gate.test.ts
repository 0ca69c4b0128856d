import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { createGate, type Health } from '../../src/adyen/gate.transport.ts'

class NotSent extends Error {}

/** A gate whose calls end as they are told; what was told of it. */
function newGate(atOnce = 10) {
  const told: string[] = []
  const gate = createGate({
    atOnce,
    readHealth: (error) => (error as { health: Health }).health,
    notSent: (why) => new NotSent(why),
    onChange: (isAnswering) => told.push(isAnswering ? 'answers' : 'silent'),
    onRecovered: () => told.push('recovered')
  })
  const fail = (health: Health) => gate.run(1_000, () => Promise.reject({ health })).catch(() => {})
  const ask = () => gate.run(1_000, async () => 'answer').catch((error) => error)
  return { gate, told, fail, ask }
}

async function silence({ fail }: ReturnType<typeof newGate>): Promise<void> {
  for (let n = 0; n < 5; n += 1) await fail('silent')
}

t.test('B6: after five calls without an answer nobody is asked, but for trials', async (t) => {
  const one = newGate()
  for (let n = 0; n < 4; n += 1) await one.fail('silent')
  t.equal(one.gate.pauseMs(), 0, 'four may be chance')
  t.equal(await one.ask(), 'answer')
  await silence(one)
  t.same(one.told, ['recovered', 'silent'])
  t.ok(one.gate.pauseMs() > 0 && one.gate.pauseMs() <= 1_000)
  t.type(await one.ask(), NotSent)
  await setTimeout(one.gate.pauseMs() + 10)
  // A trial that hangs does not keep the next one waiting.
  void one.gate.run(1_000, () => setTimeout(60_000, null, { ref: false }))
  t.type(await one.ask(), NotSent)
  await setTimeout(one.gate.pauseMs() + 10)
  t.equal(await one.ask(), 'answer')
  t.same(one.told, ['recovered', 'silent', 'answers', 'recovered'])
  t.equal(await one.ask(), 'answer', 'and all are asked again')
})

t.test('B6: an error that Adyen answers with is an answer', async (t) => {
  const one = newGate()
  for (let n = 0; n < 20; n += 1) await one.fail('troubled')
  t.same(one.told, [])
  t.equal(await one.ask(), 'answer')
  t.same(one.told, ['recovered'], 'B5: but what waits is tried again after it')
})

t.test('B6: what says nothing of other calls neither ends an outage nor begins one', async (t) => {
  const one = newGate()
  for (let n = 0; n < 20; n += 1) await one.fail('untold')
  t.equal(one.gate.pauseMs(), 0)
  await silence(one)
  await setTimeout(one.gate.pauseMs() + 10)
  await one.fail('untold')
  t.type(await one.ask(), NotSent)
  t.same(one.told, ['silent'])
})

t.test('B6: a trial that is due is offered to one, and not to all who ask at once', async (t) => {
  const one = newGate()
  await silence(one)
  await setTimeout(one.gate.pauseMs() + 10)
  t.equal(one.gate.pauseMs(), 0)
  t.ok(one.gate.pauseMs() > 0, 'another is told to wait')
  t.equal(await one.ask(), 'answer', 'while the first may take it')
  t.equal(one.gate.pauseMs(), 0)
})

t.test('B6: what began before an answer and ends without one says nothing of now', async (t) => {
  const one = newGate()
  const late = Array.from({ length: 6 }, () =>
    one.gate.run(1_000, async () => {
      await setTimeout(30)
      throw { health: 'silent' }
    })
  )
  t.equal(await one.ask(), 'answer')
  await Promise.allSettled(late)
  t.equal(one.gate.pauseMs(), 0)
})

t.test('B6: for its turn a call waits half of its time, and is then unsent', async (t) => {
  const { gate } = newGate(1)
  const end = Promise.withResolvers<string>()
  const first = gate.run(1_000, () => end.promise)
  t.type(await gate.run(40, async () => 'answer').catch((error) => error), NotSent)
  const second = gate.run(1_000, async (leftMs) => leftMs)
  end.resolve('first')
  const [answer, leftMs] = await Promise.all([first, second])
  t.equal(answer, 'first')
  t.ok(leftMs > 0 && leftMs < 1_000, 'what it has waited is gone')
  t.equal(await gate.run(1_000, async (left) => left), 1_000)
})

t.test('B6: with every turn taken and no answer for 2 s, nobody is asked any more', async (t) => {
  const { gate, told } = newGate(2)
  const hang = () => setTimeout(60_000, null, { ref: false })
  for (let n = 0; n < 2; n += 1) void gate.run(8_000, hang)
  const ask = () => gate.run(8_000, hang).catch((error) => error)
  const waiting = await Promise.all([ask(), ask(), ask()])
  for (const error of waiting) t.type(error, NotSent)
  t.same(told, ['silent'])
  t.ok(gate.pauseMs() > 0)
})

t.test('B5: what waits is tried before its time while answers are of no use', async (t) => {
  const { gate, fail, ask } = newGate()
  t.notOk(gate.isTrialDue())
  for (let n = 0; n < 3; n += 1) await fail('troubled')
  t.notOk(gate.isTrialDue(), 'not at once')
  await setTimeout(1_010)
  t.ok(gate.isTrialDue())
  t.notOk(gate.isTrialDue(), 'one at a time')
  await ask()
  await setTimeout(1_010)
  t.notOk(gate.isTrialDue(), 'all is well')
})

t.test('B5: a failure now and then hurries nothing that waits', async (t) => {
  const { gate, fail, ask, told } = newGate()
  for (let n = 0; n < 5; n += 1) {
    await ask()
    await fail('troubled')
    await fail('silent')
  }
  await setTimeout(1_010)
  t.notOk(gate.isTrialDue())
  t.same(told, ['recovered'], 'of the start')
})
