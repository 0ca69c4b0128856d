/** Where a customer ends who registered a card for a caller that names no place of its own. */
import { toPage } from '../html.ts'
import type { chooseLocale } from '../payments/return-page.ts'

type Language = ReturnType<typeof chooseLocale>['language']

/** That somebody comes here proves nothing, so that no card is promised. */
const words: Readonly<Record<Language, readonly [heading: string, text: string]>> = {
  en: [
    'Thank you',
    'If your card was accepted, it is now on your account. You can close this window.'
  ],
  de: [
    'Danke',
    'Wenn Ihre Karte angenommen wurde, ist sie jetzt bei Ihrem Konto. Sie können dieses Fenster ' +
      'schließen.'
  ],
  fr: [
    'Merci',
    'Si votre carte a été acceptée, elle est maintenant liée à votre compte. Vous pouvez fermer ' +
      'cette fenêtre.'
  ],
  es: [
    'Gracias',
    'Si su tarjeta ha sido aceptada, ya está en su cuenta. Puede cerrar esta ventana.'
  ],
  cy: [
    'Diolch',
    'Os derbyniwyd eich cerdyn, mae bellach ar eich cyfrif. Gallwch gau’r ffenestr hon.'
  ]
}

export function toRegisteredPage(language: Language): string {
  const [heading, text] = words[language]
  return toPage(language, heading, `<p>${text}</p>`)
}
