/**
 * An address with parameters added: its own query stays untouched, but for signs that cannot stand
 * in a header, and its fragment stays last.
 */
export function withParameters(url: string, parameters: Record<string, string>): string {
  const [address = '', ...fragment] = url.split('#')
  const added = Object.entries(parameters)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')
  const query = `${address}${address.includes('?') ? '&' : '?'}${added}`
  return [query, ...fragment].join('#').replace(/[^\x21-\x7e]/gu, encodeURIComponent)
}
