/** Formats of text that JSON Schema has not: what they take, and what is said where it is not. */
import { isCountryCode } from '../country-codes.ts'
import { isIdentifier } from '../identifier.ts'

/** A language of ISO 639-1, alone or with the country where it is spoken: en, en-GB. */
function isLocale(text: string): boolean {
  const [, language, country] = /^([a-z]{2})(?:-(.*))?$/.exec(text) ?? []
  if (language === undefined || languages.of(language) === undefined) return false
  return country === undefined || isCountryCode(country)
}
const languages = new Intl.DisplayNames('en', { type: 'language', fallback: 'none' })

type Format = { test: (text: string) => boolean; says: string }

export const formats: Readonly<Record<string, Format>> = {
  identifier: {
    test: isIdentifier,
    says: 'must be of characters that can be seen, and plain spaces'
  },
  'country-code': {
    test: isCountryCode,
    says: 'must be a country code of ISO 3166-1, of two letters'
  },
  locale: {
    test: isLocale,
    says: 'must be a language of ISO 639-1, alone or with a country: en-GB'
  }
}
