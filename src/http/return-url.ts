/**
 * The caller's returnUrl with a parameter added, and every other character as the caller wrote it.
 */
export function withParameter(returnUrl: string, name: string, value: string): string {
  const [, address = '', fragment = ''] = /^([^#]*)(#.*)?$/s.exec(returnUrl) ?? []
  return `${address}${address.includes('?') ? '&' : '?'}${name}=${value}${fragment}`
}
