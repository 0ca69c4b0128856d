/**
 * Finds card numbers in text, so that none is ever stored: Luhn-valid digits with the first digits
 * and a length of a scheme, in one group or in groups as cards have them, and not part of a longer
 * run of letters or digits. Whatever the text, the time it takes is linear in its length.
 */

type Range = readonly [first: string, last: string, lengths: readonly number[]]

const [to16, to19] = [[16], [16, 17, 18, 19]] as const
const diners = [14, ...to19] as const

/** First digits and lengths of the schemes that Adyen takes (ISO/IEC 7812). */
const ranges: readonly Range[] = [
  ['4', '4', [16, 19]], // Visa
  ['51', '55', to16], // Mastercard
  ['2221', '2720', to16],
  ['34', '34', [15]], // American Express
  ['37', '37', [15]],
  ['300', '305', diners],
  ['3095', '3095', diners],
  ['36', '36', diners],
  ['38', '39', diners], // with Hipercard's 3841
  ['3528', '3589', to19], // JCB
  ['50', '50', to19], // Maestro, Elo, RuPay, Dankort
  ['56', '69', to19], // Maestro, Discover, UnionPay, RuPay, Elo, Hipercard, Troy
  ['81', '82', to19], // UnionPay, RuPay
  ['2200', '2205', to19], // Mir, Bcard
  ['2869', '2869', to16], // Carnet
  ['9792', '9792', to16] // Troy
]

const maestro = [12, 13, 14, 15] as const
/** Lengths that telephone numbers have as well: these count in one group alone. */
const shortRanges: readonly Range[] = [
  ['4', '4', [13]], // Visa
  ['50', '50', maestro],
  ['56', '58', maestro],
  ['6', '6', maestro]
]

/** Groups as cards have them, or as people type them: four by four. */
const groupings = new Set(
  ['4-4-4-4', '4-6-5', '4-6-4', '4-4-4-2', '4-4-4-3', '6-13'].concat(
    ['1', '2', '3'].map((rest) => `4-4-4-4-${rest}`)
  )
)
const groupsMax = 5
const longest = 19
/** Spaces, punctuation and symbols between two groups. */
const gapMax = 16

type Span = { start: number; end: number }
type Group = Span & { digits: string }

/**
 * A first look, since nearly no text has one: without an encoding or characters beyond ASCII a
 * number is a word of digits, but for the letter that begins a track, or begins with two such that
 * are `gapMax` apart at most.
 */
const possible =
  /[%&\u0080-\uffff]|(?<![0-9A-Za-z])[Bb]?[2-9](?:\d{11}|(?:\d{3}|\d{5})[^0-9A-Za-z]{1,16}\d{4})/

/** Whether a text has to be looked at: where JSON without escapes need not, no text in it need. */
export const mayHaveCardNumber = (text: string): boolean => possible.test(text)

/** Also where percent-encoding or HTML hides it, however often it was applied. */
export function hasCardNumber(text: string): boolean {
  if (!possible.test(text)) return false
  if (findSpans(text, 1).length > 0) return true
  const decoded = decode(text)
  return decoded !== text && findSpans(decoded, 1).length > 0
}

/** The text with every card number replaced; decoded where an encoding hides one. */
export function hideCardNumbers(text: string): string {
  if (!possible.test(text)) return text
  const shown = hideSpans(text, findSpans(text))
  const decoded = decode(shown)
  const spans = decoded === shown ? [] : findSpans(decoded)
  return spans.length > 0 ? hideSpans(decoded, spans) : shown
}

function hideSpans(text: string, spans: readonly Span[]): string {
  let hidden = ''
  let from = 0
  for (const { start, end } of spans) {
    // One may lie in another, as 16 digits do in 19.
    if (start >= from) hidden += `${text.slice(from, start)}[card number]`
    from = Math.max(from, end)
  }
  return hidden + text.slice(from)
}

/** Where card numbers stand, by their starts; no more than `most` of them. */
function findSpans(text: string, most = Number.POSITIVE_INFINITY): Span[] {
  const found: Span[] = []
  const groups: Group[] = []
  for (const group of readGroups(text)) {
    if (found.length >= most) break
    if (group === null) {
      groups.length = 0
      continue
    }
    groups.push(group)
    if (groups.length > groupsMax) groups.shift()
    // The longest first, which starts first.
    for (const [from, { digits }] of groups.entries()) {
      if (from < groups.length - 1 && digits.length !== 4 && digits.length !== 6) continue
      const some = groups.slice(from)
      if (isCard(text, some)) found.push({ start: (some[0] as Group).start, end: group.end })
    }
  }
  return found
}

/** The groups of digits that stand alone, and null where what follows does not belong to them. */
function* readGroups(text: string): Generator<Group | null> {
  let word: (Group & { isDigits: boolean }) | undefined
  let gap = 0
  let isApart = false
  for (let at = 0; at < text.length; ) {
    const code = text.codePointAt(at) as number
    const end = at + (code > 0xffff ? 2 : 1)
    const kind = kindOf(code)
    if (kind === 'letter' || typeof kind === 'number') {
      // What is not seen may stand within a number, and between it and a word.
      if (word !== undefined && isApart && word.isDigits === (kind === 'letter')) {
        yield word.isDigits ? word : null
        word = undefined
      }
      word ??= { start: at, end, digits: '', isDigits: true }
      word.end = end
      if (kind === 'letter') word.isDigits = false
      else if (word.digits.length <= longest) word.digits += kind
      gap = 0
      isApart = false
    } else if (kind === 'separator') {
      if (word !== undefined) yield word.isDigits ? word : null
      word = undefined
      gap += 1
      if (gap > gapMax) yield null
    } else if (kind === 'unseen') {
      isApart = true
    }
    at = end
  }
  if (word?.isDigits) yield word
}

type Kind = number | 'letter' | 'separator' | 'mark' | 'unseen'

/** Of the characters of ASCII, by their codes; a digit's is its value. */
const ascii = Array.from({ length: 128 }, (_, code): Kind => {
  const character = String.fromCharCode(code)
  if (/[0-9]/.test(character)) return Number(character)
  return /[A-Za-z]/.test(character) ? 'letter' : 'separator'
})

function kindOf(code: number): Kind {
  return ascii[code] ?? kindOfOther(String.fromCodePoint(code), code)
}

/** Digits of all scripts, and what is not seen at all: whatever else is no letter separates. */
function kindOfOther(character: string, code: number): Kind {
  if (/\p{N}/u.test(character)) return toDigit(character, code)
  // Fillers of Hangul: letters that are shown as spaces.
  if (/[\u115f\u1160\u3164\uffa0]/.test(character)) return 'separator'
  if (/\p{L}/u.test(character)) return 'letter'
  if (/[\p{Cf}\p{Default_Ignorable_Code_Point}]/u.test(character)) return 'unseen'
  return /\p{M}/u.test(character) ? 'mark' : 'separator'
}

/** Decimal digits stand together in tens, from zero to nine (Unicode, 4.6). */
function toDigit(character: string, code: number): Kind {
  const plain = character.normalize('NFKC')
  if (/^[0-9]$/.test(plain)) return Number(plain)
  if (!/\p{Nd}/u.test(character)) return 'letter'
  let zero = code
  while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero -= 1
  return (code - zero) % 10
}

function isCard(text: string, groups: readonly Group[]): boolean {
  const [{ start, digits: first }] = groups as [Group]
  const isSolid = groups.length === 1
  if (!isSolid && !groupings.has(groups.map(({ digits }) => digits.length).join('-'))) return false
  const digits = isSolid ? first : groups.map((group) => group.digits).join('')
  if (!isLuhnValid(digits)) return false
  if (isIn(ranges, digits)) return isSolid || !isOfIban(text, start, groups.at(-1) as Group)
  return isSolid && isIn(shortRanges, digits) && !isOtherNumber(text, start, digits)
}

function isIn(some: readonly Range[], digits: string): boolean {
  return some.some(([first, last, lengths]) => {
    const start = digits.slice(0, first.length)
    return start >= first && start <= last && lengths.includes(digits.length)
  })
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

/** The dialling code stands before it, as in `+49 …` and `0049…`. */
const afterDiallingCode = /(?:\+|(?:^|[^0-9])00)[0-9]{0,3}[-\s.(/]{0,2}$/
/** With the code: all of Austria and Germany, mobile ones of Colombia, Venezuela and further. */
const telephone = /^(?:4[39]\d{11}|(?:573|584|601|639)\d{9}|628\d{9,10})$/
/** Subscribers of Malaysia, Australia and Africa (ITU-T E.212), and what Maestro has of these. */
const subscriber = /^(?:50[25]|6[0-5])/
const ofMaestro = /^(?:5020|6304|6390)/
const uuidStart = /(?:^|[^0-9A-Za-z])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}$/

/** Of a short number: whether it is a telephone number, an IMSI, an EAN or the end of a UUID. */
function isOtherNumber(text: string, start: number, digits: string): boolean {
  const before = text.slice(Math.max(0, start - 26), start)
  return (
    afterDiallingCode.test(before) ||
    telephone.test(digits) ||
    (digits.length === 15 && subscriber.test(digits) && !ofMaestro.test(digits)) ||
    (digits.length === 13 && isEan(digits)) ||
    (digits.length === 12 && uuidStart.test(before))
  )
}

/** GS1 General Specifications, 7.9: the places weigh 1 and 3 in turn. */
function isEan(digits: string): boolean {
  const sum = [...digits].reduce((all, digit, at) => all + Number(digit) * (at % 2 ? 3 : 1), 0)
  return sum % 10 === 0
}

const ibanStart = /(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?=[-\s\u00a0])/g
/** An IBAN has 34 characters at most, and a separator after each four. */
const ibanSpan = 42

/** Whether the groups are part of a valid IBAN (ISO 13616) that is written in groups of four. */
function isOfIban(text: string, start: number, { end }: Group): boolean {
  const from = Math.max(0, start - ibanSpan)
  for (const { index } of text.slice(from, start).matchAll(ibanStart)) {
    let iban = ''
    let at = from + index
    for (const group of text.slice(at, at + ibanSpan).split(/[-\s\u00a0]/)) {
      if (!/^[0-9A-Z]{1,4}$/.test(group)) break
      iban += group
      at += group.length
      if (at >= end && isIban(iban)) return true
      if (group.length < 4) break
      at += 1
    }
  }
  return false
}

function isIban(text: string): boolean {
  const moved = text.slice(4) + text.slice(0, 4)
  const digits = moved.replace(/[A-Z]/g, (letter) => String(letter.charCodeAt(0) - 55))
  return BigInt(digits) % 97n === 1n
}

/**
 * Where track 1 of a card begins (ISO/IEC 7813): a sentinel and the letter B, which would be read
 * as a code of one byte, or as part of a longer run.
 */
const trackStart = /(?:%(?:25)*|(?<![0-9A-Za-z]))B(?=[0-9 ]{12,23}(?:\^|%(?:25)*5E))/gi

/** Deeper mixtures of both encodings than this are not met. */
const roundsMax = 4

function decode(text: string): string {
  let decoded = text.replace(trackStart, ' ')
  for (let round = 0; round < roundsMax; round++) {
    const before = decoded
    decoded = decodeEntities(decodePercents(before))
    if (decoded === before) break
  }
  return decoded
}

/** Codes of characters, and names of what separates; an ampersand may be encoded again. */
const entity =
  /&(?:amp;|#38;|#x26;)*(?:#0*(\d{1,7});?|#x0*([0-9a-f]{1,6});?|(nbsp|shy);?|([a-z]\w{1,31});)/gi
const unseenNames = /^(?:shy|zwj|zwnj|ZeroWidthSpace|NoBreak)$/i

/** No name stands for a digit: each is read as a space, or as nothing where it shows nothing. */
function decodeEntities(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(entity, (_, decimal, hex, old, name) => {
    const code = decimal ? Number(decimal) : hex ? Number.parseInt(hex, 16) : undefined
    if (code === undefined) return unseenNames.test(old ?? name) ? '\u200b' : ' '
    return code > 0x10ffff ? ' ' : String.fromCodePoint(code)
  })
}

const percent = 0x25

/**
 * What percent-encoding stands for, again and again until nothing changes: in one pass, since what
 * a code stands for can only complete a code that began just before it.
 */
function decodePercents(text: string): string {
  if (!text.includes('%')) return text
  const bytes = Buffer.from(text)
  let length = 0
  for (const byte of bytes) {
    bytes[length] = byte
    length += 1
    for (;;) {
      const hex = length < 3 || bytes[length - 3] !== percent ? '' : readHex(bytes, length)
      if (hex === '') break
      length -= 2
      bytes[length - 1] = Number.parseInt(hex, 16)
    }
  }
  return bytes.toString('utf8', 0, length)
}

/** The two hexadecimal digits at the end; nothing where they are none. */
function readHex(bytes: Buffer, length: number): string {
  const hex = bytes.toString('latin1', length - 2, length)
  return /^[0-9A-Fa-f]{2}$/.test(hex) ? hex : ''
}
