/**
 * Reads the feed as a client does, a process of its own: page after page, and waits at the end.
 * Notes when it had received each event.
 */
import http from 'node:http'

export type FeedMessage = { read: { port: number; apiKey: string } } | { end: true }
/** Ids, and when the answer with each had come, ms of the clock. */
export type FeedNotes = { notes: Array<[id: string, at: number]> }

const waitS = 5
const limit = 100
const agent = new http.Agent({ keepAlive: true })
/** What is read now. One that has ended may still wait for its last answer. */
let current: Reading | undefined
type Reading = FeedNotes & {
  /** It has all that there was when it began. */
  isAtEnd: boolean
}

process.on('message', (message: FeedMessage) => {
  if ('read' in message) {
    current = { notes: [], isAtEnd: false }
    void read(message.read, current)
  } else {
    const notes = current?.notes ?? []
    current = undefined
    process.send?.({ notes } satisfies FeedNotes)
  }
})
process.on('disconnect', () => process.exit(0))
process.send?.({ ready: true })

type Feed = { port: number; apiKey: string }

async function read({ port, apiKey }: Feed, own: Reading): Promise<void> {
  let after = ''
  while (current === own) {
    const { text, at } = await ask(port, apiKey, after, own.isAtEnd)
    const page = JSON.parse(text) as { data: Array<{ id: string }>; nextCursor: string }
    // What was there before is not noted.
    if (own.isAtEnd) for (const { id } of page.data) own.notes.push([id, at])
    after = `&after=${encodeURIComponent(page.nextCursor)}`
    if (own.isAtEnd || page.data.length === limit) continue
    own.isAtEnd = true
    process.send?.({ atEnd: true })
  }
}

function ask(port: number, apiKey: string, after: string, waits: boolean) {
  const path = `/v1/events?limit=${limit}${after}`
  const headers = {
    authorization: `Bearer ${apiKey}`,
    ...(waits && { prefer: `wait=${waitS}` })
  }
  return new Promise<{ text: string; at: number }>((resolve, reject) => {
    http
      .get({ agent, host: '127.0.0.1', port, path, headers }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part) => {
          text += part
        })
        response.on('end', () => resolve({ text, at: Date.now() }))
      })
      .on('error', reject)
  })
}
