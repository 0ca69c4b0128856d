/** Where a customer may be sent: an answer that leads anywhere else is none of Adyen's. */

/** Pages and links (`test.adyen.link`, `eu.adyen.link`); 3-D Secure (`checkoutshopper-…`). */
const domain = /(?:^|\.)(?:adyen\.com|adyen\.link|adyenpayments\.com)$/
/** Of the test platform, by a word of the host. */
const isOfTest = /(?:^|[.-])test[.-]/

export type Site = { environment: 'TEST' | 'LIVE'; checkoutUrl?: string | undefined }

/**
 * Whether `url` is https and leads to a host of Adyen's for this platform; or to the origin that
 * was configured in Adyen's place.
 */
export function isAdyenAddress(url: string, { environment, checkoutUrl }: Site): boolean {
  // What `URL` would pass over may be read otherwise by a browser.
  if (!URL.canParse(url) || /[\s\\]/.test(url)) return false
  const { origin, protocol, hostname, port, username, password } = new URL(url)
  if (username || password) return false
  if (origin === checkoutUrl) return true
  return (
    protocol === 'https:' &&
    port === '' &&
    domain.test(hostname) &&
    isOfTest.test(hostname) === (environment === 'TEST')
  )
}
