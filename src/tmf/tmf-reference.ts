/** What the façades' resources refer to, and what they hold beside their own members. Pure. */
import { identify } from './tmf-paths.ts'

/** A reference to a billing account, which TMF666 shows. */
export function toAccountRef(publicUrl: string, accountId: string) {
  return {
    ...identify(publicUrl, 'billingAccount', accountId),
    '@type': 'AccountRef',
    '@baseType': 'EntityRef',
    '@referredType': 'BillingAccount'
  }
}

export type Characteristic = { name: string; value: unknown }

/** What the standard has no member for; what has no value is left out. */
export function toCharacteristics(values: Readonly<Record<string, unknown>>) {
  return Object.entries(values)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => ({
      name,
      value,
      '@type': typeof value === 'string' ? 'StringCharacteristic' : 'NumberCharacteristic',
      '@baseType': 'Characteristic'
    }))
}

/** RFC 3986: a URI has characters of ASCII that can be seen. Where it may lead others say. */
export const isUri = (text: string) => text.length <= 1024 && /^[\x21-\x7e]+$/.test(text)
