/**
 * Where a webhook may go: to public addresses only, so that nobody makes this service speak to what
 * stands beside it (OWASP: Server-Side Request Forgery). The URL is read as WHATWG has it, which
 * brings every spelling of an IPv4 address (decimal, octal, hexadecimal, short, full-width) to one.
 */
import { Resolver } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import ipaddr from 'ipaddr.js'
import type { CheckUrl } from './webhook.ts'

/** The addresses of a name, of both families; throws where there is none. */
type Resolve = (hostname: string) => Promise<string[]>

export type AddressPolicy = {
  /** Whether this machine itself is allowed, also over http: for tests and the sandbox alone. */
  allowLoopback: boolean
  /** Those that a new URL may name; any by default. This machine's own may be any. */
  ports?: readonly number[] | undefined
  resolve: Resolve
}

/** How long a name is asked for when an endpoint is made. */
const checkWithinMs = 1_500
const dnsOptions = { timeout: 2_000, tries: 2 }

const refusedText = 'The host leads to a private or special address.'

/**
 * Asks the DNS itself: `getaddrinfo` would hold one of the process's few threads for as long as a
 * broken name server pleases, and other deliveries with it.
 */
export function createResolve(): Resolve {
  const resolver = new Resolver(dnsOptions)
  return async (hostname) => {
    if (isLocalName(hostname)) return ['127.0.0.1', '::1']
    const asked = [resolver.resolve4(hostname), resolver.resolve6(hostname)]
    const families = await Promise.allSettled(asked)
    const found = families.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
    const fault = families.find((one) => one.status === 'rejected')
    if (found.length === 0) throw fault?.reason ?? new Error('The host has no address.')
    return found
  }
}

/**
 * Why the URL can be no endpoint's: its form, its address, or an address that its name has now. A
 * name that does not resolve is taken: it may come to, and each connection is checked.
 */
export function createCheckUrl(policy: AddressPolicy): CheckUrl {
  return async (text) => {
    const fault = findUrlFault(text, policy) ?? findPortFault(text, policy)
    if (fault !== null) return fault
    const { protocol, hostname } = new URL(text)
    if (toLiteral(hostname) !== undefined) return null
    const resolved = policy.resolve(toName(hostname)).catch((): string[] => [])
    // Addresses that are not known in time are not waited for.
    const found = await Promise.race([resolved, setTimeout(checkWithinMs, [])])
    return found.every((one) => mayReach(one, protocol, policy)) ? null : refusedText
  }
}

/** What is wrong with a URL that can be seen from its text; null where nothing is. */
export function findUrlFault(text: string, policy: AddressPolicy): string | null {
  // What is read otherwise than whoever typed it meant is refused before it is parsed.
  if (/[\s\\]/.test(text) || !/^https?:\/\/[^/]/i.test(text) || !URL.canParse(text)) {
    return 'It is not a URL that begins with https://.'
  }
  const { protocol, hostname, username, password } = new URL(text)
  if (username !== '' || password !== '') return 'It holds user information.'
  const literal = toLiteral(hostname)
  const isLocal = literal === undefined ? isLocalName(toName(hostname)) : isLoopback(literal)
  if (protocol === 'http:' && !(policy.allowLoopback && isLocal)) return 'It is not https.'
  const isRefused =
    literal === undefined ? isLocal && !policy.allowLoopback : !mayReach(literal, protocol, policy)
  return isRefused ? refusedText : null
}

/** Of a new URL alone: one that was taken before is still sent to. */
function findPortFault(text: string, { allowLoopback, ports }: AddressPolicy): string | null {
  const { port, hostname } = new URL(text)
  if (ports === undefined || ports.includes(port === '' ? 443 : Number(port))) return null
  const literal = toLiteral(hostname)
  const isLocal = literal === undefined ? isLocalName(toName(hostname)) : isLoopback(literal)
  if (allowLoopback && isLocal) return null
  return `Its port is none of those that are allowed: ${ports.join(', ')}.`
}

/**
 * The lookup of a connection: it is made to what was checked, since nobody asks again. One address
 * that is not allowed refuses them all.
 */
export function createLookup(protocol: string, policy: AddressPolicy): LookupFunction {
  return (hostname, options, callback) => {
    policy.resolve(toName(hostname)).then(
      (found) => {
        const [first] = found
        const isRefused = !found.every((one) => mayReach(one, protocol, policy))
        if (isRefused || first === undefined) callback(new Error(refusedText), '')
        else if (options.all) callback(null, found.map(withFamily))
        else callback(null, first, withFamily(first).family)
      },
      (error: NodeJS.ErrnoException) => callback(error, '')
    )
  }
}

function mayReach(address: string, protocol: string, { allowLoopback }: AddressPolicy): boolean {
  if (allowLoopback && isLoopback(address)) return true
  return protocol === 'https:' && isPublic(address)
}

/** Unicast that the whole world routes; of IPv6 2000::/3 alone (RFC 4291, IANA's registry). */
export function isPublic(address: string): boolean {
  if (!isPlain(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  return parsed instanceof ipaddr.IPv4 || ((parsed as ipaddr.IPv6).parts[0] as number) >> 13 === 1
}

function isLoopback(address: string): boolean {
  return isPlain(address) && ipaddr.parse(address).range() === 'loopback'
}

/** An address as the DNS and URLs have it: four decimal numbers, or IPv6 without a zone. */
function isPlain(address: string): boolean {
  if (ipaddr.IPv4.isValidFourPartDecimal(address)) return true
  return !address.includes('%') && ipaddr.IPv6.isValid(address)
}

/** The address that a URL's host is; undefined where it is a name. */
function toLiteral(hostname: string): string | undefined {
  const address = hostname.replace(/^\[(.*)\]$/, '$1')
  return isPlain(address) ? address : undefined
}

/** Names are the same with and without the dot of the root. */
function toName(hostname: string): string {
  return hostname.replace(/\.$/, '')
}

function isLocalName(name: string): boolean {
  return /(^|\.)localhost$/i.test(name)
}

function withFamily(address: string) {
  return { address, family: address.includes(':') ? 6 : 4 }
}
