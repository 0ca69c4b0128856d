/** Where the façades of TM Forum's APIs are. */

export const tmfPrefix = '/tmf-api/'

/** Without a slash at the end. */
export const tmfPaths = {
  payments: `${tmfPrefix}paymentManagement/v4`,
  paymentMethods: `${tmfPrefix}paymentMethod/v4`,
  accounts: `${tmfPrefix}accountManagement/v4`
} as const

const collections = {
  payment: `${tmfPaths.payments}/payment`,
  refund: `${tmfPaths.payments}/refund`,
  paymentMethod: `${tmfPaths.paymentMethods}/paymentMethod`,
  billingAccount: `${tmfPaths.accounts}/billingAccount`
} as const

/** `id` and the whole address of a resource; `publicUrl`: where the service is reached. */
export function identify(publicUrl: string, kind: keyof typeof collections, id: string) {
  return { id, href: `${publicUrl}${collections[kind]}/${id}` }
}
