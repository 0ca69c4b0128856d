/** Each form has a key of its own: sent twice, it acts once. */
import type { PaymentsError } from '../clients/typescript/src/index.ts'
import { type Html, html } from './html.ts'

/** `kept`: what a form sent that is shown again. */
export function keyField(kept: string | null): Html {
  return html`<input type="hidden" name="key" value="${kept || crypto.randomUUID()}">`
}

export const keyOf = ({ form }: { form: URLSearchParams }) => form.get('key') ?? ''

/**
 * What may have been begun is asked for again by its key, so that the form keeps it; what was
 * refused, by another: also by Adyen, whose refusal is the answer under that key for ever.
 */
export function keepKey({ form }: { form: URLSearchParams }, { code, status }: PaymentsError) {
  const isOpen = status === undefined || status >= 500 || code === 'idempotency_key_in_flight'
  if (!isOpen || code === 'provider_rejected') form.delete('key')
}
