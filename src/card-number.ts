/**
 * Finds card numbers in text, so that none is ever stored: Luhn-valid digits with the first digits
 * and length of a scheme, spaces and dashes allowed, not part of a longer run of letters or digits.
 * A UUID (RFC 9562) that has a letter is such a run, its dashes included: one in some ten thousands
 * would pass for a card number otherwise, and callers send them as keys and references.
 */

/** First digits and lengths (ISO/IEC 7812 ranges of the schemes). */
const schemes: ReadonlyArray<{ prefix: RegExp; lengths: readonly number[] }> = [
  { prefix: /^4/, lengths: [13, 16, 19] },
  { prefix: /^5[1-5]/, lengths: [16] },
  { prefix: /^2(22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)/, lengths: [16] },
  { prefix: /^3[47]/, lengths: [15] },
  { prefix: /^3[0689]/, lengths: [14, 15, 16, 17, 18, 19] },
  { prefix: /^(35|50|5[6-9]|6)/, lengths: [16, 17, 18, 19] }
]

const shortest = 13
const longest = 19

/** Digits with up to three spaces or dashes between them, bounded by neither letter nor digit. */
const digits = /\d(?:[\s\p{Pd}]{0,3}\d){12,}/u.source
const uuid = /(?=[\d-]*[A-Fa-f])[\dA-Fa-f]{8}(?:-[\dA-Fa-f]{4}){3}-[\dA-Fa-f]{12}/u.source
const candidate = new RegExp(`(?<![\\p{L}\\p{N}])(?:${uuid}|${digits})(?![\\p{L}\\p{N}])`, 'gu')
const letter = /[A-Fa-f]/
const separators = /[\s\p{Pd}]+/u

export function hasCardNumber(text: string): boolean {
  return text.length >= shortest && [...text.matchAll(candidate)].some(([run]) => isIn(run))
}

/** The text with every card number replaced, for a log. */
export function hideCardNumbers(text: string): string {
  if (text.length < shortest) return text
  return text.replace(candidate, (run) => (isIn(run) ? '[card number]' : run))
}

/** Whether the groups of a run hold a card number: all of them, or some that stand together. */
function isIn(run: string): boolean {
  if (letter.test(run)) return false
  const groups = run.split(separators)
  for (let from = 0; from < groups.length; from++) {
    let digits = ''
    for (let to = from; to < groups.length && digits.length <= longest; to++) {
      digits += groups[to]
      if (digits.length >= shortest && isCardNumber(digits)) return true
    }
  }
  return false
}

function isCardNumber(digits: string): boolean {
  return (
    schemes.some(({ prefix, lengths }) => prefix.test(digits) && lengths.includes(digits.length)) &&
    isLuhnValid(digits)
  )
}

function isLuhnValid(digits: string): boolean {
  let sum = 0
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(digits[digits.length - 1 - place])
    const weighted = place % 2 === 0 ? digit : digit * 2
    sum += weighted > 9 ? weighted - 9 : weighted
  }
  return sum % 10 === 0
}
