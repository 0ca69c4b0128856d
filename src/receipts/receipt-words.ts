/** What a receipt says, in the languages that pages for customers have. */
import type { words } from '../payments/return-page.ts'

export type ReceiptWords = {
  receipt: string
  merchant: string
  amount: string
  date: string
  card: string
  endingIn: (brand: string, lastFour: string) => string
  reference: string
  description: string
  number: string
  account: string
  paid: string
  credit: string
  wentBack: string
  refund: string
  chargedBack: string
  remains: string
}

const english: ReceiptWords = {
  receipt: 'Receipt',
  merchant: 'Paid to',
  amount: 'Amount paid',
  date: 'Date',
  card: 'Card',
  endingIn: (brand, lastFour) => `${brand} ending in ${lastFour}`,
  reference: 'Reference',
  description: 'Description',
  number: 'Payment number',
  account: 'Account',
  paid: 'What it pays',
  credit: 'Credit on your account',
  wentBack: 'What went back',
  refund: 'Refund on',
  chargedBack: 'Taken back by your bank',
  remains: 'Total paid'
}

const german: ReceiptWords = {
  receipt: 'Zahlungsbeleg',
  merchant: 'Bezahlt an',
  amount: 'Gezahlter Betrag',
  date: 'Datum',
  card: 'Karte',
  endingIn: (brand, lastFour) => `${brand} mit Endziffern ${lastFour}`,
  reference: 'Referenz',
  description: 'Beschreibung',
  number: 'Zahlungsnummer',
  account: 'Kundenkonto',
  paid: 'Wofür gezahlt wurde',
  credit: 'Guthaben auf Ihrem Konto',
  wentBack: 'Was zurückging',
  refund: 'Erstattung vom',
  chargedBack: 'Von Ihrer Bank zurückgeholt',
  remains: 'Insgesamt gezahlt'
}

const french: ReceiptWords = {
  receipt: 'Reçu de paiement',
  merchant: 'Payé à',
  amount: 'Montant payé',
  date: 'Date',
  card: 'Carte',
  endingIn: (brand, lastFour) => `${brand} se terminant par ${lastFour}`,
  reference: 'Référence',
  description: 'Description',
  number: 'Numéro de paiement',
  account: 'Compte',
  paid: 'Ce qui est payé',
  credit: 'Crédit sur votre compte',
  wentBack: 'Ce qui a été rendu',
  refund: 'Remboursement du',
  chargedBack: 'Repris par votre banque',
  remains: 'Total payé'
}

const spanish: ReceiptWords = {
  receipt: 'Recibo de pago',
  merchant: 'Pagado a',
  amount: 'Importe pagado',
  date: 'Fecha',
  card: 'Tarjeta',
  endingIn: (brand, lastFour) => `${brand} terminada en ${lastFour}`,
  reference: 'Referencia',
  description: 'Descripción',
  number: 'Número de pago',
  account: 'Cuenta',
  paid: 'Lo que se paga',
  credit: 'Saldo a favor en su cuenta',
  wentBack: 'Lo devuelto',
  refund: 'Reembolso del',
  chargedBack: 'Recuperado por su banco',
  remains: 'Total pagado'
}

const welsh: ReceiptWords = {
  receipt: 'Derbynneb',
  merchant: 'Talwyd i',
  amount: 'Swm a dalwyd',
  date: 'Dyddiad',
  card: 'Cerdyn',
  endingIn: (brand, lastFour) => `${brand} yn gorffen â ${lastFour}`,
  reference: 'Cyfeirnod',
  description: 'Disgrifiad',
  number: 'Rhif y taliad',
  account: 'Cyfrif',
  paid: 'Yr hyn a dalwyd',
  credit: 'Credyd ar eich cyfrif',
  wentBack: 'Yr hyn a ddychwelwyd',
  refund: 'Ad-daliad ar',
  chargedBack: 'Cymerwyd yn ôl gan eich banc',
  remains: 'Cyfanswm a dalwyd'
}

export const receiptWords: Readonly<Record<keyof typeof words, ReceiptWords>> = {
  en: english,
  de: german,
  fr: french,
  es: spanish,
  cy: welsh
}
