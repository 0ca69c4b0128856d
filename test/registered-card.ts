import type { TestService } from './test-service.ts'

type Tools = Pick<TestService, 'call' | 'control' | 'createPayment' | 'pay' | 'until'>

/**
 * Registers a card of the account, by a payment whose customer saves it. `changes`: how Adyen keeps
 * the card, such as a `holderName` that is refused, or `challenge: true` for 3-D Secure.
 */
export async function registerCard(
  { call, control, createPayment, pay, until }: Tools,
  accountId: string,
  changes: Record<string, unknown> = {}
): Promise<string> {
  const page = await createPayment({
    accountId,
    saveCard: 'always',
    returnUrl: 'https://selfcare.example/cards',
    allowDuplicate: true
  })
  await pay(page.id)
  await until(page.id, ({ status }) => status === 'captured')
  const { body: stored } = await control('GET', '/_simulator/storedCards')
  const mine = stored.findLast(
    (one: { shopperReference: string }) => one.shopperReference === `account-${accountId}`
  )
  await control('PATCH', `/_simulator/storedCards/${mine.id}`, changes)
  const giveUpAt = Date.now() + 10_000
  for (;;) {
    const { body } = await call('GET', `/v1/accounts/${accountId}/cards`)
    if (body.data?.length > 0) return body.data[0].id
    if (Date.now() > giveUpAt) throw new Error(`no card: ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
