import pg from 'pg'

export type Listener = { close(): Promise<void> }

const reconnectAfterMs = 1_000

/**
 * Listens to the database's notices on one connection of its own. What was said while it was not
 * connected is lost, so `onConnected` is called after each connection: then anything may have been
 * said. Never ends the process; a broken connection is made anew.
 */
export async function listen(
  url: string,
  channels: Readonly<Record<string, (payload: string) => void>>,
  onConnected: () => void
): Promise<Listener> {
  let closed = false
  let client: pg.Client | undefined
  let timer: NodeJS.Timeout | undefined

  async function open(): Promise<void> {
    const own = new pg.Client({
      connectionString: url,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      connectionTimeoutMillis: 2_000
    })
    const onLost = () => {
      if (client !== own) return
      client = undefined
      own.end().catch(() => {})
      retry()
    }
    client = own
    own.on('error', onLost)
    own.on('end', onLost)
    own.on('notification', ({ channel, payload = '' }) => channels[channel]?.(payload))
    try {
      await own.connect()
      for (const channel of Object.keys(channels)) await own.query(`listen ${channel}`)
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
      const own = client
      client = undefined
      await own?.end().catch(() => {})
    }
  }
}
