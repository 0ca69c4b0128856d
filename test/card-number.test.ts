import fc from 'fast-check'
import t from 'tap'
import { hasCardNumber, hideCardNumbers } from '../src/card-number.ts'

/** First digits of the schemes, the first and the last of each range, and their lengths. */
const schemes: ReadonlyArray<[firstDigits: readonly string[], lengths: readonly number[]]> = [
  [['4'], [13, 16, 19]],
  [['51', '52', '53', '54', '55', '2221', '2229', '2230', '2299', '2300', '2700', '2720'], [16]],
  [['34', '37'], [15]],
  [
    ['300', '305', '3095', '36', '38', '39'],
    [14, 16, 17, 18, 19]
  ],
  [
    ['3528', '3589', '2200', '2204', '59', '81', '82'],
    [16, 17, 18, 19]
  ],
  [['9792'], [16]],
  [
    ['508', '5018', '56', '57', '58', '6304', '66', '676', '69'],
    [12, 13, 14, 15, 16, 17, 18, 19]
  ],
  // An IMSI has 15 digits as well, and a Malaysian mobile number 12.
  [['6011'], [13, 14, 16, 17, 18, 19]],
  [
    ['60', '62', '622126', '644', '65'],
    [12, 13, 14, 16, 17, 18, 19]
  ]
]

const allLengths = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]

/** The digits with their check digit (ISO/IEC 7812-1), reckoned from the left. */
function withCheckDigit(digits: string): string {
  const parity = digits.length % 2
  let sum = 0
  for (let place = 0; place < digits.length; place++) {
    const doubled = Number(digits[place]) * (place % 2 === parity ? 1 : 2)
    sum += Math.floor(doubled / 10) + (doubled % 10)
  }
  return digits + String((10 - (sum % 10)) % 10)
}

function numberOf(firstDigits: string, length: number): string {
  return withCheckDigit(firstDigits.padEnd(length - 1, '7302951846'))
}

t.test('every scheme is found in every length it has, and in no other', async (t) => {
  for (const [firstDigits, lengths] of schemes) {
    for (const first of firstDigits) {
      const found = allLengths.filter((length) => hasCardNumber(numberOf(first, length)))
      t.same(found, lengths, `${first}…`)
    }
  }
})

t.test('first digits of no scheme are no card number', async (t) => {
  const others = ['0', '1', '2206', '2220', '2721', '20', '29', '31', '32', '33', '306', '3527']
  for (const first of [...others, '3590', '7', '80', '83', '88', '89', '9791', '9793']) {
    t.notOk(
      allLengths.some((length) => hasCardNumber(numberOf(first, length))),
      first
    )
  }
})

const good = '4111111111111111'
const grouped = (number: string, ...sizes: number[]) => {
  const starts = sizes.map((_, at) => sizes.slice(0, at).reduce((all, one) => all + one, 0))
  return sizes.map((size, at) => number.slice(starts[at]).slice(0, size)).join(' ')
}

const four = (between: string) => ['4111', '1111', '1111', '1111'].join(between)

/** What is a card number, and what only looks like one: each by what it is. */
const cards: Readonly<Record<string, readonly string[]>> = {
  'test cards of Adyen': [
    '4111 1111 1111 1111',
    '5555-5555-5555-4444',
    '2222 4000 7000 0005',
    '3700 0000 0000 002',
    '6703 4444 4444 4449',
    '6771 7980 2100 0008',
    '3569 9900 1009 5841',
    '3600 6666 3333 44',
    '36006666333344',
    '6011 6011 6011 6611',
    '6062 8288 8866 6688',
    '5066 9911 1111 1118',
    '6243 0300 0000 0001',
    '5019 5555 4444 5555'
  ],
  'other schemes': [
    '8171 9999 2766 0000',
    '2200 0000 0000 0004',
    grouped(numberOf('9792', 16), 4, 4, 4, 4),
    grouped(numberOf('81', 16), 4, 4, 4, 4),
    grouped(numberOf('82', 16), 4, 4, 4, 4),
    '6759649826438453',
    '501800000009',
    numberOf('6763', 13)
  ],
  'groups as they are printed': [
    '3714 496353 98431',
    '3056 930902 5904',
    grouped(numberOf('4', 19), 4, 4, 4, 4, 3),
    grouped(numberOf('62', 19), 6, 13),
    grouped(numberOf('6759', 18), 4, 4, 4, 4, 2),
    '4222222222222'
  ],
  'separators of all kinds': [
    '4111-1111 1111-1111',
    '4111  -1111 - 1111   1111',
    '4111.1111.1111.1111',
    '4111/1111/1111/1111',
    '4111_1111_1111_1111',
    '4111\n1111\r\n1111\t1111',
    '4111\u00a01111\u202f1111\u30001111',
    '4111\u20111111\u20131111\u22121111',
    '4111\u200b1111\u200d1111\ufeff1111',
    '4111·1111·1111·1111',
    '41\u00ad11111111111111',
    ...[',', ', ', '|', ':', ';', '*', '#', '~', '\\', '=', "'", ' -- ', '    ', ' --> '].map(four),
    ...['．', '／', '＿', '。', '、', '：', '\u3164', '\u2800', '\uffa0', '\ufffd', '→', '💳'].map(
      four
    ),
    `card\u200b${good}\u2060please`
  ],
  'entities of HTML, however often': [
    ...['&nbsp;', '&#32;', '&#x20;', '&ensp;', '&amp;nbsp;', '&#38;#32;', '&nbsp'].map(four),
    ...['%26nbsp%3B', '&#37;20', '&shy;'].map(four),
    '&#52;111111111111111',
    '&#x34;&#x31;&#49;&#0049;111111111111',
    '&#52&#49&#49&#49;111111111111',
    '41&zwj;11111111111111'
  ],
  'tracks of a card': [
    `%B${good}^DOE/J^29121010000000000000?`,
    `B${good}^DOE/J^2912`,
    `track %b${good}^DOE/J^2912`,
    `x%25B${good}%5EDOE%2FJ%5E2912`,
    '%B3714 496353 98431^DOE/J^2912',
    `;${good}=29121010000000000000?`
  ],
  'digits of other scripts': [
    '４１１１１１１１１１１１１１１１',
    '４１１１ １１１１ １１１１ １１１１',
    '٤١١١١١١١١١١١١١١١',
    '४१११ ११११ ११११ ११११',
    '𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏',
    '4️⃣111111111111111',
    '④①①①①①①①①①①①①①①①'
  ],
  'percent-encoding, however often': [
    '4111%201111%201111%201111',
    '4111%25201111%2525201111%201111',
    '4111%C2%A01111%25C2%25A01111%A01111',
    '%34%31%31%31111111111111',
    '%2534111111111111111',
    '%252534111111111111111',
    '%3%34111111111111111',
    '4111+1111+1111+1111',
    `https://selfcare.example/?card=${good}`,
    `https://selfcare.example/4111%E2%80%911111%20%EF%BC%91111%201111`
  ],
  'anywhere in a text': [
    `card ${good}`,
    `${good}, please`,
    `(${good})`,
    `card:${good};cvc`,
    `_${good}_`,
    `€${good}.`,
    `\n${good}\n`,
    `invoice 12345 ${good}`,
    `${good} 12/30`,
    `12 4111 1111 1111 1111 34`,
    `1234567890123456 ${good}`,
    `+${good}`,
    `DE12 4111 1111 1111 1111`,
    `b2c3d4e5-f607-4111-8111-111111111111 ${good}`,
    `b2c3d4e5-f607-${good}`
  ]
}

const harmless: Readonly<Record<string, readonly string[]>> = {
  'what is part of a longer run of letters or digits': [
    `x${good}`,
    `${good}x`,
    `é${good}`,
    `${good}日`,
    `1${good}`,
    `${good}1`,
    `${good}٣`,
    '41111111111111110000',
    'INV4111111111111111',
    '4111 1111 1111 1111a',
    'a4111 1111 1111 1111',
    `B${good}`,
    `e\u0301${good}`,
    `1\u200b${good}`
  ],
  'another last digit': ['4111111111111112', '4111 1111 1111 1112'],
  'groups as no card has them': [
    '4500-20261128-1234',
    '41037517-20261128',
    '41111111-11111111',
    '41 11 11 11 11 11 11 11',
    '4111 111111111111',
    '411 111 111 111 1111',
    '4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1',
    '5018 0000 0009',
    '4222 2222 2222 2'
  ],
  'telephone numbers': [
    '+44 20 7946 0958',
    '+49 4111 111 111 111',
    '+4915112345674',
    '4915112345674',
    '+49 4123456789019',
    '00494123456789019',
    '+60123456782',
    '+639171234564',
    '+44 (20) 7946-0958; +44 (20) 7946-0959',
    '639171234569',
    '436641234561',
    '4366412345612'
  ],
  'an IMSI': ['302720123456788', '505011234567893', '655011234567891', '262011234567890'],
  'an IBAN': [
    'GB29 NWBK 6016 1331 9268 19',
    'GB33BUKB20201555555555',
    'GB82 WEST 1234 5698 7654 32',
    'DE89 3704 0044 0532 0130 00',
    'DE89-3704-0044-0532-0130-00',
    'ES91 2100 0418 4502 0005 1332',
    'FR14 2004 1010 0505 0001 3M02 606'
  ],
  'a UUID': [
    'b2c3d4e5-f607-4111-8111-111111111111',
    '41111111-1111-1111-8a0b-1c2d3e4f5061',
    '41111111-1111-1111-4111-111111111111',
    '9b2f7a34-4111-4111-8111-501800000009',
    '550e8400-e29b-41d4-a716-446655440000',
    'basket B2C3D4E5-F607-4111-8111-111111111111, again'
  ],
  'an EAN': ['4006381333931', '4012345678901', '5000112637922', '6001087357517'],
  'what a business writes': [
    '',
    'Invoice INV-2026-000123 of 2026-01-31',
    '2026-01-31T10:15:00.123Z',
    '1763847894802',
    '1763847894802000',
    '20261122214454',
    '20261122214454802',
    '12345678',
    '1234567890123',
    '0000000000000000',
    '9999999999999999',
    '8836000000000004',
    '89490200001234567890',
    '411111111111'
  ]
}

t.test('F4: what is a card number, and what only looks like one', async (t) => {
  for (const [kind, texts] of Object.entries(cards)) {
    t.test(`found: ${kind}`, async (t) => {
      for (const text of texts) {
        t.ok(hasCardNumber(text), JSON.stringify(text))
        t.notOk(hasCardNumber(hideCardNumbers(text)), 'hidden, there is none left')
      }
    })
  }
  for (const [kind, texts] of Object.entries(harmless)) {
    t.test(`passes: ${kind}`, async (t) => {
      for (const text of texts) {
        t.notOk(hasCardNumber(text), JSON.stringify(text))
        t.equal(hideCardNumbers(text), text)
      }
    })
  }
})

t.test('any one wrong digit makes it no card number', async (t) => {
  const number = numberOf('4', 16)
  for (let place = 1; place < number.length; place++) {
    const wrong = String((Number(number[place]) + 1) % 10)
    t.notOk(hasCardNumber(number.slice(0, place) + wrong + number.slice(place + 1)), `at ${place}`)
  }
})

t.test('a log shows a text without its card numbers, and all else as it was', async (t) => {
  t.equal(hideCardNumbers(`a ${good} b`), 'a [card number] b')
  t.equal(
    hideCardNumbers(`${good}, 5555-5555-5555-4444.`),
    '[card number], [card number].',
    'all of them'
  )
  const long = grouped(numberOf('4111111111111111', 19), 4, 4, 4, 4, 3)
  t.equal(hideCardNumbers(`a ${long} b`), 'a [card number] b', '16 digits in 19')
  t.equal(hideCardNumbers('4111111111111112 is none'), '4111111111111112 is none')
  t.equal(hideCardNumbers('100%25 of it'), '100%25 of it', 'what hides none stays encoded')
  t.equal(hideCardNumbers('short'), 'short')
})

t.test('a card number of any scheme is found four by four, and hidden without rest', async (t) => {
  const scheme = fc.constantFrom(...schemes)
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 19, maxLength: 19 })
  const card = fc
    .tuple(scheme, digits, fc.nat(), fc.nat())
    .map(([[first, all], rest, one, other]) => {
      const lengths = all.filter((length) => length > 15)
      const start = first[one % first.length] as string
      const length = lengths[other % lengths.length] ?? (all[0] as number)
      return withCheckDigit((start + rest).slice(0, length - 1))
    })
  const separator = fc.constantFrom('', ' ', '-', '\u00a0', ' - ', '%20', '%25C2%25A0', '\u2011')
  fc.assert(
    fc.property(card, separator, (number, between) => {
      const text = number.replace(/(....)(?=.)/g, `$1${between}`)
      return (
        hasCardNumber(`to ${text} by`) && !/\d{2}/.test(hideCardNumbers(`to ${text.trimEnd()} by`))
      )
    }),
    { numRuns: 500 }
  )
  t.pass('500 of them')
})

t.test('F1: text that is made to be slow is read in linear time', async (t) => {
  // Were it quadratic, a text of this size would outlast the time that a test has.
  const size = 256 * 1024
  for (const part of [
    '-',
    '1',
    '1 ',
    '1-',
    '11 ',
    '1  ',
    `${'1'.repeat(12)}  `,
    `${'1 '.repeat(12)}x`,
    `${'1'.repeat(13)}x`,
    `${'4'.repeat(19)} `,
    '4- ',
    `${good} `,
    '4111 1111 1111 1112 ',
    'DE89 ',
    'DE89 3704 0044 0532 0130 01 ',
    'AA11-1111-',
    '%25',
    '%2525',
    '%%3',
    '\u00a0',
    '１',
    '𝟒',
    '\u0301',
    '\u200b',
    ',',
    '4111,1111,',
    '&',
    '&amp;',
    'amp;',
    '&#0',
    '&#38;#38;',
    '#38;',
    '&a',
    '%25B',
    `%B${good}`,
    '%B411111111111%25',
    '25B1 '
  ]) {
    const text = `${part.repeat(Math.ceil(size / part.length)).slice(0, size)}x`
    t.doesNotThrow(() => hasCardNumber(text), part.slice(0, 14))
    t.doesNotThrow(() => hideCardNumbers(text))
  }
})

t.test('the first look at a text passes by nothing that the whole scan finds', async (t) => {
  const wide = ' '.repeat(16)
  const long = '411111 1111111111110'
  const piece = fc.constantFrom(
    ...['4111', '1111', '411111', '1111111111111', good, '676770000008', '00', 'x', '%', '&'],
    ...[four(' '), four('-'), four(wide), '3782 822463 10005', long, `B${good}^`],
    ...[`b${four(' ')}^`, ' ', '-', '_', '.', wide, `${wide} `, 'B', '^']
  )
  let found = 0
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 7 }), (pieces) => {
      const text = pieces.join('')
      found += Number(hasCardNumber(text))
      // What might begin an encoding is looked at as a whole.
      const looked = { has: hasCardNumber(text), hidden: `${hideCardNumbers(text)} %` }
      const scanned = { has: hasCardNumber(`${text} %`), hidden: hideCardNumbers(`${text} %`) }
      return looked.has === scanned.has && looked.hidden === scanned.hidden
    }),
    { numRuns: 3_000 }
  )
  t.ok(found > 100, `${found} had one`)
})
