/** A person's browser without script: keeps a cookie, sends forms, and goes where it is sent. */

export type Seen = { status: number; path: string; html: string }

export function visitor(origin: string, seen: string[] = []) {
  let cookie = ''

  async function go(path: string, form?: Record<string, string>, headers = {}): Promise<Seen> {
    const answer = await fetch(`${origin}${path}`, {
      redirect: 'manual',
      headers: { cookie, ...(form && { origin, 'sec-fetch-site': 'same-origin' }), ...headers },
      ...(form && { method: 'POST', body: new URLSearchParams(form) })
    })
    const [set] = answer.headers.getSetCookie()
    if (set !== undefined) cookie = set.split(';')[0] ?? ''
    const html = await answer.text()
    seen.push(html, JSON.stringify([...answer.headers]))
    const to = answer.headers.get('location')
    if (to === null) return { status: answer.status, path, html }
    return to.startsWith('/') ? go(to) : { status: answer.status, path: to, html }
  }

  return { go, cookie: () => cookie }
}

/** What a hidden field of the page holds. */
export function hidden({ html }: Seen, name: string): string {
  return new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? ''
}

/** Asks for the page again until it has it, for 10 s. */
export async function untilShown(ask: () => Promise<Seen>, what: RegExp): Promise<Seen> {
  const giveUpAt = Date.now() + 10_000
  for (;;) {
    const seen = await ask()
    if (what.test(seen.html)) return seen
    if (Date.now() > giveUpAt) throw new Error(`${what} is not on ${seen.path}: ${seen.html}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
