import t from 'tap'
import {
  type Failed,
  nextTryInS,
  readRetryAfter,
  webhookRetryForS,
  webhookRetryS
} from '../../src/webhooks/delivery-schedule.ts'

const now = new Date('2026-11-23T10:00:00Z')
const failed = (own: Partial<Failed>): Failed => ({
  ...{ attempts: 1, ageS: 0, retryAfter: null, now, random: 0.5 },
  ...own
})

t.test('each pause is that of the contract, a fifth shorter or longer at most', async (t) => {
  for (const [place, pauseS] of webhookRetryS.entries()) {
    const attempts = place + 1
    const nearly = (wanted: number, random: number) => {
      const found = nextTryInS(failed({ attempts, random })) as number
      t.ok(Math.abs(found - wanted) < 0.01, `${attempts}: ${found}`)
    }
    nearly(pauseS, 0.5)
    nearly(pauseS * 0.8, 0)
    nearly(pauseS * 1.2, 0.999_999_999)
  }
  t.equal(nextTryInS(failed({ attempts: 40 })), 21_600, 'the last one for ever')
})

t.test('after three days there is no other, and the last one comes at their end', async (t) => {
  for (const random of [0, 0.5, 0.99]) {
    let ageS = 0
    let attempts = 0
    for (;;) {
      attempts += 1
      const nextInS = nextTryInS(failed({ attempts, ageS, random }))
      if (nextInS === null) break
      ageS += nextInS
    }
    t.equal(ageS, webhookRetryForS)
    t.ok(attempts > 17 && attempts < 25, String(attempts))
  }
})

t.test('an endpoint may ask for a longer pause, within bounds, and never for less', async (t) => {
  const of = (retryAfter: string, own = {}) => nextTryInS(failed({ retryAfter, ...own }))
  t.equal(of('120'), 120)
  t.equal(of('0'), 1)
  t.equal(of('-5'), 1)
  t.equal(of('soon'), 1)
  t.equal(of('99999999'), 21_600)
  t.equal(of('5', { attempts: 7 }), 1_800)
  t.equal(of('Mon, 23 Nov 2026 10:01:00 GMT'), 60)
  t.equal(of('Mon, 23 Nov 2026 09:00:00 GMT'), 1)
  t.equal(of('99999', { ageS: webhookRetryForS - 10 }), 10, 'not beyond its days')
  t.equal(readRetryAfter(null, now), undefined)
})
