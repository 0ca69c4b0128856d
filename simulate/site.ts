/** What a group of histories has for itself, on a stage: database, wires, Adyen, two instances. */
import { randomUUID } from 'node:crypto'
import { Agent } from 'undici'
import { type Cleaner, findFreePort } from '../bench/processes.ts'
import { startSimulator } from '../sandbox/simulator/simulator.ts'
import { insertClient, insertKey, newApiKey } from '../src/clients/client.store.ts'
import { ownScopes, scopes } from '../src/clients/client.ts'
import { connect, type Db } from '../src/database/database.ts'
import { type Instance, startInstance } from './instances.ts'
import { openReceiver, type Receiver } from './receiver.ts'
import { adyenApiKey, hmacKey, merchantAccount } from './secrets.ts'
import type { Stage } from './stage.ts'
import { openWire } from './wire.ts'
import { call, type Group } from './world.ts'

export type Site = Group & {
  db: Db
  database: string
  instances: Instance[]
  receiver: Receiver
  stage: Stage
}

/** From an event at Adyen to its notification, and pauses before it is sent again, ms. */
const noticeTimes = { webhookDelayMs: 5, retryDelaysMs: [100, 200, 300, 500] }

export async function openSite(
  stage: Stage,
  cleaner: Cleaner,
  onStep: Group['onStep']
): Promise<Site> {
  const database = `group_${randomUUID().slice(0, 8)}`
  cleaner.add(() => stage.dropDatabase(database))
  const { ownerUrl, serviceUrl } = await stage.addDatabase(database)
  const db = connect(ownerUrl, { max: 4 })
  cleaner.add(() => db.destroy())
  const agent = new Agent({ connections: 256, keepAliveTimeout: 60_000 })
  cleaner.add(() => agent.destroy())
  const wire = await openWire(agent, cleaner)
  const receiver = await openReceiver(cleaner)
  const instances: Instance[] = []
  for (const adyenUrl of wire.adyenUrls) {
    const port = await findFreePort()
    const options = { port, databaseUrl: serviceUrl, adyenUrl, webhookPort: receiver.port }
    instances.push(startInstance({ ...options, cacheFolder: stage.cacheFolder }, cleaner))
  }
  const simulator = await startSimulator({
    ...{ port: 0, apiKey: adyenApiKey, merchantAccount, hmacKey },
    ...{ webhookUrl: wire.noticeUrl, ...noticeTimes }
  })
  cleaner.add(() => simulator.close())
  wire.connect(simulator.url, instances)
  const keys = {
    house: await addClient(db, false),
    third: await addClient(db, true),
    stranger: await addClient(db, true)
  }
  const shared = { agent, instances, simulatorUrl: simulator.url, wire, keys, onStep }
  const site = { ...shared, db, database, receiver, stage }
  await Promise.all(instances.map((one) => one.untilReady()))
  await addEndpoints(site)
  return site
}

/** Each client that makes payments is told of them. */
async function addEndpoints(site: Site): Promise<void> {
  for (const client of ['house', 'third'] as const) {
    const answer = await call({ group: site, client }, 0, 'POST', '/v1/webhook-endpoints', {
      body: { url: site.receiver.urlOf(client), events: ['*'] },
      idempotencyKey: client
    })
    if (answer?.status !== 201) throw new Error(`no webhook endpoint: ${answer?.text}`)
    site.receiver.expect(client, answer.body.secret)
  }
}

async function addClient(db: Db, thirdParty: boolean): Promise<string> {
  const key = newApiKey()
  await db.transaction().execute(async (tx) => {
    const id = await insertClient(tx, {
      name: `client-${randomUUID()}`,
      scopes: thirdParty ? scopes.filter((one) => !ownScopes.includes(one)) : scopes,
      thirdParty,
      returnOrigins: ['https://selfcare.example']
    })
    await insertKey(tx, id, key)
  })
  return key
}
