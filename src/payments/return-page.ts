/** What a customer reads who comes back and whose payment has no returnUrl to lead on to. */
import { escapeHtml, toPage } from '../html.ts'
import { decimalsOf, type Money } from '../money.ts'
import type { Payment, PaymentStatus } from './payment.ts'

/** A payment's status; or that nothing is here, or that nothing can be said now. */
export type Outcome = PaymentStatus | 'unknown' | 'unavailable'
type Words = {
  /** A heading, and what follows of it for the customer. */
  outcomes: Readonly<Record<Outcome, readonly [heading: string, text: string]>>
  amount: string
  merchant: string
  again: string
}

const english: Words = {
  outcomes: {
    captured: ['Thank you, your payment is complete', 'You can close this window.'],
    authorised: [
      'Your payment is authorised',
      'The money is reserved and will be taken later. You can close this window.'
    ],
    pending: [
      'Your payment is being processed',
      'The result is not known yet. Please do not pay a second time; look again in a moment.'
    ],
    refused: [
      'Your payment was declined',
      'No money was taken. You can try again, with another card if you have one.'
    ],
    cancelled: ['Your payment was cancelled', 'No money was taken.'],
    expired: [
      'The time to pay has run out',
      'No money was taken. If you still want to pay, ask for a new payment.'
    ],
    failed: [
      'Your payment could not be completed',
      'Before you pay again, please ask the company that you wanted to pay.'
    ],
    unknown: [
      'There is nothing here',
      'Check the address, or go back to where you came from and start again.'
    ],
    unavailable: [
      'We cannot show your payment now',
      'It may have been made. Please do not pay a second time; look again in a moment.'
    ]
  },
  amount: 'Amount',
  merchant: 'Merchant',
  again: 'Look again'
}

const german: Words = {
  outcomes: {
    captured: ['Danke, Ihre Zahlung ist abgeschlossen', 'Sie können dieses Fenster schließen.'],
    authorised: [
      'Ihre Zahlung ist genehmigt',
      'Das Geld ist reserviert und wird später abgebucht. Sie können dieses Fenster schließen.'
    ],
    pending: [
      'Ihre Zahlung wird bearbeitet',
      'Das Ergebnis steht noch nicht fest. Bitte zahlen Sie nicht noch einmal; sehen Sie gleich ' +
        'wieder nach.'
    ],
    refused: [
      'Ihre Zahlung wurde abgelehnt',
      'Es wurde nichts abgebucht. Sie können es noch einmal versuchen, auch mit anderer Karte.'
    ],
    cancelled: ['Ihre Zahlung wurde abgebrochen', 'Es wurde nichts abgebucht.'],
    expired: [
      'Die Zeit zum Bezahlen ist abgelaufen',
      'Es wurde nichts abgebucht. Wenn Sie noch zahlen möchten, bitten Sie um eine neue Zahlung.'
    ],
    failed: [
      'Ihre Zahlung konnte nicht abgeschlossen werden',
      'Bevor Sie erneut zahlen, fragen Sie bitte das Unternehmen, das Sie bezahlen wollten.'
    ],
    unknown: [
      'Hier ist nichts',
      'Prüfen Sie die Adresse, oder gehen Sie zurück und beginnen Sie von vorn.'
    ],
    unavailable: [
      'Wir können Ihre Zahlung gerade nicht anzeigen',
      'Vielleicht wurde sie ausgeführt. Bitte zahlen Sie nicht noch einmal; sehen Sie gleich ' +
        'wieder nach.'
    ]
  },
  amount: 'Betrag',
  merchant: 'Händler',
  again: 'Wieder nachsehen'
}

const french: Words = {
  outcomes: {
    captured: ['Merci, votre paiement est terminé', 'Vous pouvez fermer cette fenêtre.'],
    authorised: [
      'Votre paiement est autorisé',
      'La somme est réservée et sera prélevée plus tard. Vous pouvez fermer cette fenêtre.'
    ],
    pending: [
      'Votre paiement est en cours de traitement',
      'Le résultat n’est pas encore connu. Ne payez pas une seconde fois ; revenez dans un instant.'
    ],
    refused: [
      'Votre paiement a été refusé',
      'Aucune somme n’a été prélevée. Vous pouvez réessayer, au besoin avec une autre carte.'
    ],
    cancelled: ['Votre paiement a été annulé', 'Aucune somme n’a été prélevée.'],
    expired: [
      'Le délai de paiement est dépassé',
      'Aucune somme n’a été prélevée. Si vous voulez toujours payer, demandez un nouveau paiement.'
    ],
    failed: [
      'Votre paiement n’a pas pu aboutir',
      'Avant de payer à nouveau, renseignez-vous auprès de l’entreprise que vous vouliez payer.'
    ],
    unknown: ['Il n’y a rien ici', 'Vérifiez l’adresse, ou revenez en arrière pour recommencer.'],
    unavailable: [
      'Nous ne pouvons pas afficher votre paiement pour le moment',
      'Il a peut-être été effectué. Ne payez pas une seconde fois ; revenez dans un instant.'
    ]
  },
  amount: 'Montant',
  merchant: 'Commerçant',
  again: 'Vérifier à nouveau'
}

const spanish: Words = {
  outcomes: {
    captured: ['Gracias, su pago se ha completado', 'Puede cerrar esta ventana.'],
    authorised: [
      'Su pago está autorizado',
      'El dinero está reservado y se cobrará más tarde. Puede cerrar esta ventana.'
    ],
    pending: [
      'Su pago se está procesando',
      'Todavía no se conoce el resultado. No pague por segunda vez; vuelva a mirar en un momento.'
    ],
    refused: [
      'Su pago ha sido rechazado',
      'No se ha cobrado nada. Puede intentarlo de nuevo, si es preciso con otra tarjeta.'
    ],
    cancelled: ['Su pago ha sido cancelado', 'No se ha cobrado nada.'],
    expired: [
      'El tiempo para pagar ha terminado',
      'No se ha cobrado nada. Si todavía quiere pagar, pida un pago nuevo.'
    ],
    failed: [
      'Su pago no se ha podido completar',
      'Antes de volver a pagar, consulte con la empresa a la que quería pagar.'
    ],
    unknown: ['Aquí no hay nada', 'Compruebe la dirección, o vuelva atrás y empiece de nuevo.'],
    unavailable: [
      'Ahora no podemos mostrar su pago',
      'Puede que se haya realizado. No pague por segunda vez; vuelva a mirar en un momento.'
    ]
  },
  amount: 'Importe',
  merchant: 'Comercio',
  again: 'Volver a mirar'
}

const welsh: Words = {
  outcomes: {
    captured: ['Diolch, mae eich taliad wedi’i gwblhau', 'Gallwch gau’r ffenestr hon.'],
    authorised: [
      'Mae eich taliad wedi’i awdurdodi',
      'Mae’r arian wedi’i neilltuo, a bydd yn cael ei gymryd yn nes ymlaen. Gallwch gau’r ' +
        'ffenestr hon.'
    ],
    pending: [
      'Mae eich taliad yn cael ei brosesu',
      'Nid yw’r canlyniad yn hysbys eto. Peidiwch â thalu eilwaith; edrychwch eto ymhen ychydig.'
    ],
    refused: [
      'Gwrthodwyd eich taliad',
      'Ni chymerwyd unrhyw arian. Gallwch roi cynnig arall arni, gyda cherdyn arall os oes ' +
        'gennych un.'
    ],
    cancelled: ['Cafodd eich taliad ei ganslo', 'Ni chymerwyd unrhyw arian.'],
    expired: [
      'Mae’r amser i dalu wedi dod i ben',
      'Ni chymerwyd unrhyw arian. Os ydych am dalu o hyd, gofynnwch am daliad newydd.'
    ],
    failed: [
      'Nid oedd modd cwblhau eich taliad',
      'Cyn talu eto, gofynnwch i’r cwmni yr oeddech am ei dalu.'
    ],
    unknown: ['Nid oes dim byd yma', 'Gwiriwch y cyfeiriad, neu ewch yn ôl a dechrau eto.'],
    unavailable: [
      'Ni allwn ddangos eich taliad ar hyn o bryd',
      'Efallai ei fod wedi’i wneud. Peidiwch â thalu eilwaith; edrychwch eto ymhen ychydig.'
    ]
  },
  amount: 'Swm',
  merchant: 'Masnachwr',
  again: 'Edrych eto'
}

export const words = { en: english, de: german, fr: french, es: spanish, cy: welsh } as const
type Language = keyof typeof words

/** A language that has words, and the locale that amounts are written for, such as `de-AT`. */
type Locale = { language: Language; tag: string }

/** The customer's, by what is told of the payment, else by the browser's Accept-Language. */
export function chooseLocale(told: string | undefined, accepted = ''): Locale {
  // RFC 9110, 12.5.4; nobody has so many languages.
  const ranges = accepted.slice(0, 500).split(',').map(readRange)
  const wanted = ranges.filter(({ weight }) => weight > 0).sort((a, b) => b.weight - a.weight)
  for (const tag of [told ?? '', ...wanted.map((range) => range.tag)]) {
    const [, name = '', region] = /^([a-z]{2})(?:[-_]([a-z]{2}))?$/i.exec(tag) ?? []
    const language = name.toLowerCase()
    if (!Object.hasOwn(words, language)) continue
    const known = language as Language
    return { language: known, tag: region ? `${known}-${region.toUpperCase()}` : known }
  }
  return { language: 'en', tag: 'en' }
}

function readRange(range: string) {
  const [tag = '', ...parameters] = range.split(';').map((part) => part.trim())
  const weight = parameters.find((one) => one.startsWith('q='))?.slice(2) ?? '1'
  return { tag, weight: Number(weight) || 0 }
}

/** With as many decimals as ISO 4217 gives the currency. */
export function formatAmount({ currency, value }: Money, tag: string): string {
  const digits = decimalsOf(currency) ?? 2
  return new Intl.NumberFormat(tag, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits
  }).format(value / 10 ** digits)
}

/** Of a payment, no more than the customer's question needs. */
export type Shown = Pick<Payment, 'status' | 'amount' | 'amountCaptured'>

/**
 * What came of the payment, for the customer; of a captured one, how much was. `more` is HTML that
 * follows.
 */
export function toReturnPage(
  { status, amount, amountCaptured }: Shown,
  merchantName: string | null,
  locale: Locale,
  more = ''
): string {
  const { amount: label, merchant } = words[locale.language]
  const { currency } = amount
  const shown = status === 'captured' ? { currency, value: amountCaptured } : amount
  const payee =
    merchantName === null ? '' : `<dt>${merchant}</dt><dd>${escapeHtml(merchantName)}</dd>`
  const money = escapeHtml(formatAmount(shown, locale.tag))
  return toOutcomePage(status, locale, `<dl><dt>${label}</dt><dd>${money}</dd>${payee}</dl>`, more)
}

/** The same without a payment; `facts`, and `more` at the end, are HTML. */
export function toOutcomePage(
  outcome: Outcome,
  { language }: Locale,
  facts = '',
  more = ''
): string {
  const { outcomes, again } = words[language]
  const [heading, text] = outcomes[outcome]
  const isOpen = outcome === 'pending' || outcome === 'unavailable'
  // The same address without what the page has brought, which was asked about already.
  const link = isOpen ? `<p><a href="?">${again}</a></p>` : ''
  return toPage(language, heading, `<p>${escapeHtml(text)}</p>${facts}${link}${more}`)
}
