/**
 * Where Adyen is called, and where a customer may be sent: an answer that leads anywhere else is
 * none of Adyen's.
 */

/** Pages and links (`test.adyen.link`, `eu.adyen.link`); 3-D Secure (`checkoutshopper-…`). */
const domain = /(?:^|\.)(?:adyen\.com|adyen\.link|adyenpayments\.com)$/
/** Of the test platform, by a word of the host. */
const isOfTest = /(?:^|[.-])test[.-]/

export type Site = {
  environment: 'TEST' | 'LIVE'
  /** Required with LIVE. */
  liveUrlPrefix?: string | undefined
  /** An origin in place of Adyen's, such as `http://127.0.0.1:9999`. */
  checkoutUrl?: string | undefined
}

/** Of the Checkout API, whose requests and answers the library's types are. */
const version = 'v72'

/** The Checkout API's base URL, as the library has it (`createBaseUrl` of its `Service`). */
export function toBaseUrl({ environment, liveUrlPrefix, checkoutUrl }: Site): string {
  if (checkoutUrl !== undefined) return `${checkoutUrl}/${version}`
  if (environment === 'TEST') return `https://checkout-test.adyen.com/${version}`
  if (!liveUrlPrefix) throw new Error('The live platform needs the prefix of its URL')
  return `https://${liveUrlPrefix}-checkout-live.adyenpayments.com/checkout/${version}`
}

/** What a server can be expected to take, in octets (RFC 9110, 4.1). */
const longest = 8_000

/**
 * The address that `url` leads to, written in the one way in which every browser reads it.
 * Undefined where that is not https and a host of Adyen's for this platform, or the origin that was
 * configured in Adyen's place; and where it is too long.
 */
export function readAdyenAddress(
  url: string,
  { environment, checkoutUrl }: Site
): string | undefined {
  // What `URL` would pass over may be read otherwise by a browser.
  const parsed = URL.parse(url)
  if (parsed === null || /[\s\\]/.test(url)) return undefined
  const { origin, protocol, hostname, port, username, password, href } = parsed
  if (username || password || href.length > longest) return undefined
  const isAdyen =
    protocol === 'https:' &&
    port === '' &&
    domain.test(hostname) &&
    isOfTest.test(hostname) === (environment === 'TEST')
  return isAdyen || origin === checkoutUrl ? href : undefined
}
