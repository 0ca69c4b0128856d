import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { defineTask, startWorker, type Task } from '../../src/due/worker.ts'

/** A task whose rounds end when the test says so; timers stand still until they are moved. */
function puppet(t: Test, everyMs = 1_000, gathering: Partial<Task> = {}) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const rounds: Array<{ resolve: (count: number) => void; reject: (error: Error) => void }> = []
  const task: Task = {
    name: 'task',
    everyMs,
    ...gathering,
    run: () => new Promise((resolve, reject) => rounds.push({ resolve, reject }))
  }
  const done: number[] = []
  const faults: unknown[] = []
  const worker = startWorker([task], {
    onDone: (_, count) => done.push(count),
    onFault: (_, error) => faults.push(error)
  })
  return { worker, rounds, done, faults, end: () => rounds.at(-1) as (typeof rounds)[number] }
}

/** Lets everything happen that waits for no timer. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

t.test('a round that did something is followed by another at once', async (t) => {
  const { worker, rounds, done, end } = puppet(t)
  t.equal(rounds.length, 1, 'it begins without being asked')
  for (const count of [3, 1]) {
    end().resolve(count)
    await settle()
  }
  t.equal(rounds.length, 3)
  t.same(done, [3, 1])
  const stopped = worker.stop()
  end().resolve(0)
  await stopped
})

t.test('with nothing to do it rests until its time, or until it is woken', async (t) => {
  const { worker, rounds, done, end } = puppet(t)
  end().resolve(0)
  await settle()
  mock.timers.tick(999)
  await settle()
  t.equal(rounds.length, 1)
  mock.timers.tick(1)
  await settle()
  t.equal(rounds.length, 2, 'its time has come')
  end().resolve(0)
  await settle()
  worker.wake('task')
  await settle()
  t.equal(rounds.length, 3, 'it was woken')
  t.same(done, [], 'doing nothing is not told')
  const stopped = worker.stop()
  end().resolve(0)
  await stopped
})

t.test('who wakes it during a round is not forgotten', async (t) => {
  const { worker, rounds, end } = puppet(t)
  worker.wake('task')
  worker.wake('task')
  end().resolve(0)
  await settle()
  t.equal(rounds.length, 2, 'another round at once, as the first may have begun too early')
  end().resolve(0)
  await settle()
  t.equal(rounds.length, 2, 'and one only')
  await worker.stop()
})

t.test('after a fault it rests, however often it was woken before', async (t) => {
  const { worker, rounds, faults, end } = puppet(t, 60_000)
  worker.wake('task')
  end().reject(new Error('no database'))
  await settle()
  t.equal(faults.length, 1)
  t.equal(rounds.length, 1)
  mock.timers.tick(1_000)
  await settle()
  t.equal(rounds.length, 2, 'a fault is not waited out for as long as idleness')
  end().resolve(1)
  await settle()
  t.equal(rounds.length, 3, 'and all is well again')
  const stopped = worker.stop()
  end().resolve(0)
  await stopped
})

t.test(
  'D9: faults in a row are further and further apart, whoever wakes it meanwhile',
  async (t) => {
    const { worker, rounds, faults, end } = puppet(t)
    const fail = async () => {
      end().reject(new Error('no database'))
      await settle()
      for (let times = 0; times < 20; times++) worker.wake('task')
      await settle()
    }
    for (const [place, restMs] of [1_000, 2_000, 4_000, 8_000, 8_000].entries()) {
      await fail()
      mock.timers.tick(restMs - 1)
      await settle()
      t.equal(rounds.length, place + 1)
      mock.timers.tick(1)
      await settle()
      t.equal(rounds.length, place + 2)
    }
    await fail()
    worker.wakeAll()
    await settle()
    t.equal(rounds.length, 7, 'the database is back, and all are told')
    end().resolve(0)
    await settle()
    worker.wake('task')
    await settle()
    t.equal(rounds.length, 8, 'and it is woken as ever')
    t.same(faults.length, 6)
    const stopped = worker.stop()
    end().resolve(0)
    await stopped
  }
)

t.test('a task that throws without a promise is a fault like any other', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const faults: unknown[] = []
  const run = () => {
    throw new Error('at once')
  }
  const worker = startWorker([{ name: 'task', run }], {
    onDone: () => {},
    onFault: (_, error) => faults.push(error)
  })
  await settle()
  t.equal(faults.length, 1)
  await worker.stop()
})

t.test('a task is woken by a name that there is', async (t) => {
  const ran: string[] = []
  const run = (name: string) => async () => {
    ran.push(name)
    return 0
  }
  const tasks = [
    defineTask({ name: 'one', run: run('one') }),
    defineTask({ name: 'two', run: run('two') })
  ]
  const worker = startWorker(tasks, { onDone: () => {}, onFault: () => {} })
  await settle()
  worker.wake('two')
  // @ts-expect-error: a task that was renamed is not woken in silence.
  worker.wake('three')
  await settle()
  t.same(ran, ['one', 'two', 'two'])
  await worker.stop()
})

t.test('stop waits for the round under way and begins no other', async (t) => {
  const { worker, rounds, end } = puppet(t)
  let stopped = false
  const stopping = worker.stop().then(() => {
    stopped = true
  })
  worker.wake('task')
  await settle()
  t.notOk(stopped)
  end().resolve(5)
  await stopping
  worker.wake('task')
  await settle()
  t.equal(rounds.length, 1)
})

for (const [name, how] of [
  ['idle', 'resolve'],
  ['faulty', 'reject']
] as const) {
  t.test(`stop ends the rest of a task that is ${name}`, async (t) => {
    const { worker, rounds, end } = puppet(t)
    end()[how](0 as never)
    await settle()
    await worker.stop()
    t.equal(rounds.length, 1)
  })
}

t.test('one task does not hold up another', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  let rounds = 0
  let release: (count: number) => void = () => {}
  const slow: Task = {
    name: 'slow',
    run: () =>
      new Promise((resolve) => {
        release = resolve
      })
  }
  const quick: Task = { name: 'quick', run: async () => (++rounds < 4 ? 1 : 0) }
  const told: string[] = []
  const worker = startWorker([slow, quick], {
    onDone: (task) => told.push(task),
    onFault: () => t.fail('no fault')
  })
  await settle()
  t.equal(rounds, 4)
  t.same(told, ['quick', 'quick', 'quick'])
  const stopped = worker.stop()
  release(0)
  await stopped
})

t.test('after a round that was not full work gathers for a moment, or until the end', async (t) => {
  const { worker, rounds, end } = puppet(t, 1_000, { batchSize: 4, gatherMs: 200 })
  end().resolve(4)
  await settle()
  t.equal(rounds.length, 2, 'a full one is followed at once')
  end().resolve(3)
  await settle()
  worker.wake('task')
  mock.timers.tick(199)
  await settle()
  t.equal(rounds.length, 2)
  mock.timers.tick(1)
  await settle()
  t.equal(rounds.length, 3)
  end().resolve(3)
  await settle()
  await worker.stop()
  t.equal(rounds.length, 3)
})
