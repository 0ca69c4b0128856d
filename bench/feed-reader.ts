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
let notes: FeedNotes['notes'] = []
let reading = false
/** Says once that it has all that there was. */
let isAtEnd = false

process.on('message', (message: FeedMessage) => {
  if ('read' in message) {
    notes = []
    reading = true
    isAtEnd = false
    void read(message.read)
  } else {
    reading = false
    process.send?.({ notes } satisfies FeedNotes)
  }
})
process.on('disconnect', () => process.exit(0))
process.send?.({ ready: true })

async function read({ port, apiKey }: { port: number; apiKey: string }): Promise<void> {
  let after = ''
  while (reading) {
    const { text, at } = await ask(port, apiKey, after, isAtEnd)
    const page = JSON.parse(text) as { data: Array<{ id: string }>; nextCursor: string }
    // What was there before is not noted.
    if (isAtEnd) for (const { id } of page.data) notes.push([id, at])
    after = `&after=${encodeURIComponent(page.nextCursor)}`
    if (isAtEnd || page.data.length === limit) continue
    isAtEnd = true
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
