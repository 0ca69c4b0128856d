/** The OpenAPI documents of the façades: one for each API of TM Forum. */
import type { ApiDocument } from '../openapi/openapi.plugin.ts'
import { hubDocument } from './hub-document.ts'
import { tmfErrors } from './tmf-error.ts'
import { tmfPaths } from './tmf-paths.ts'

/** What all of them begin with, each after a sentence of its own. */
const shared = `
\`@type\` and \`@baseType\` are always said, and need not be sent. Money is exact: its decimals
never pass a binary number.

**Reading.** \`fields\` selects members of the first level; \`id\`, \`href\` and \`@type\` come
always. Lists answer 200, in pages by \`offset\` and \`limit\`, with \`X-Total-Count\` up to 1,000,
\`X-Result-Count\` and \`Link\` to the next page. An attribute with commas, or repeated, is any of
its values; different parameters narrow each other. Dates and numbers are compared by \`.gt\`,
\`.gte\`, \`.lt\`, \`.lte\` after the name, or by \`>\`, \`>=\`, \`<\`, \`<=\` in place of \`=\`;
everything by \`.eq\` and \`.ne\`. A day is all of it. What is no filter is 400, with those there
are.

**Errors** are TM Forum's: \`code\` is one of those of \`/v1\`, explained at \`referenceError\`.
`.trimEnd()

/** What every façade has alike; its schemas begin with `Tmf` among all of ours. */
const alike = { errors: tmfErrors, schemas: { others: /^(?!)/, prefix: 'Tmf' } }

export const tmfDocuments: readonly ApiDocument[] = [
  {
    file: 'tmf676-payment.v4.yaml',
    path: `${tmfPaths.payments}/openapi.json`,
    under: `${tmfPaths.payments}/`,
    info: {
      title: 'Payment Management (TMF676 v4)',
      version: '4.0.0',
      description: `Payments and refunds as TM Forum has them, over those of \`/v1\`.\n${shared}`
    },
    tags: [
      { name: 'payment', description: 'Performed payments' },
      { name: 'refund', description: 'Money that goes back' },
      { name: 'hub', description: 'Have every change sent to you' }
    ],
    webhooks: hubDocument,
    ...alike
  },
  {
    file: 'tmf670-payment-method.v4.yaml',
    path: `${tmfPaths.paymentMethods}/openapi.json`,
    under: `${tmfPaths.paymentMethods}/`,
    info: {
      title: 'Payment Method (TMF670 v4)',
      version: '4.0.0',
      description: `Registered cards as TM Forum has them, over those of \`/v1\`.\n${shared}`
    },
    tags: [{ name: 'paymentMethod', description: 'Registered cards, and pages that register one' }],
    ...alike
  },
  {
    file: 'tmf666-account.v4.yaml',
    path: `${tmfPaths.accounts}/openapi.json`,
    under: `${tmfPaths.accounts}/`,
    info: {
      title: 'Account (TMF666 v4), read side',
      version: '4.0.0',
      description: `Accounts of \`/v1\` with their balances as TMF666 has them.\n${shared}`
    },
    tags: [{ name: 'billingAccount', description: 'Accounts with their balances' }],
    ...alike
  }
]
