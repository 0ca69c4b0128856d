import pg from 'pg'
import { setClock } from '../database-clock.ts'
import { brandSuffix } from './brand.ts'
import { driverUrl } from './connection-url.ts'
import { bounds, setUpSession } from './session.ts'

type Listener = { close(): Promise<void> }

const reconnectAfterMs = 1_000
/** How often it asks whether anybody is there, and how long an answer may take. */
const askEveryMs = 5_000
const answerWithinMs = 2_000

/**
 * Listens to the database's notices on one connection of its own. What was said while it was not
 * connected is lost, so `onConnected` is called after each connection: then anything may have been
 * said. A channel is that of the brand whose tables are found there. Never ends the process; a
 * connection that broke, or answers no more, is made anew.
 */
export async function listen(
  url: string,
  channels: Readonly<Record<string, (payload: string) => void>>,
  onConnected: () => void
): Promise<Listener> {
  let closed = false
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined
  let asking: NodeJS.Timeout | undefined

  async function open(): Promise<void> {
    const own = new pg.Client({
      connectionString: driverUrl(url),
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: answerWithinMs,
      query_timeout: answerWithinMs
    })
    const onLost = () => {
      if (client !== own) return
      client = undefined
      clearInterval(asking)
      // Not a polite end, for which nobody may be there.
      own.connection.stream.destroy()
      retry()
    }
    let suffix = ''
    client = own
    own.on('error', onLost)
    own.on('end', onLost)
    own.on('notification', ({ channel, payload = '' }) =>
      channels[channel.slice(0, channel.length - suffix.length)]?.(payload)
    )
    try {
      await own.connect()
      await setUpSession(own, bounds, url)
      await askTime(own)
      const { rows } = await own.query<{ suffix: string }>(`select ${brandSuffix} as suffix`)
      suffix = rows[0]?.suffix ?? ''
      for (const channel of Object.keys(channels)) await own.query(`listen ${channel}${suffix}`)
      // The other side of a dead connection says nothing, which is what it says when all is well.
      asking = setInterval(() => askTime(own).catch(onLost), askEveryMs)
      onConnected()
    } catch {
      onLost()
    }
  }

  function retry(): void {
    if (!closed) timer = setTimeout(open, reconnectAfterMs)
  }

  await open()
  return {
    async close() {
      closed = true
      clearTimeout(timer)
      clearInterval(asking)
      const own = client
      client = undefined
      await own?.end().catch(() => {})
    }
  }
}

async function askTime(client: pg.Client): Promise<void> {
  const askedAt = performance.now()
  const { rows } = await client.query<{ ms: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::double precision as ms'
  )
  for (const { ms } of rows) setClock(ms, askedAt, performance.now())
}
