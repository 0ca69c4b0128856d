/** Each form has a key of its own: sent twice, it acts once. */
import type { PaymentsError } from '../clients/typescript/src/index.ts'
import { type Html, html } from './html.ts'

/** `kept`: what a form sent that is shown again. */
export function keyField(kept: string | null): Html {
  return html`<input type="hidden" name="key" value="${kept || crypto.randomUUID()}">`
}

export const keyOf = ({ form }: { form: URLSearchParams }) => form.get('key') ?? ''

/**
 * Whether what was asked for may have been begun, or will be. Adyen's refusal is none: it is the
 * answer under its key for ever.
 */
export function mayBeBegun({ code, status }: PaymentsError): boolean {
  if (code === 'provider_rejected') return false
  return status === undefined || status >= 500 || code === 'idempotency_key_in_flight'
}

/** What may have been begun is asked for again by its key, so that the form keeps it. */
export function keepKey({ form }: { form: URLSearchParams }, error: PaymentsError): void {
  if (!mayBeBegun(error)) form.delete('key')
}
