import fc from 'fast-check'
import t from 'tap'
import { hasCardNumber, hideCardNumbers } from '../src/card-number.ts'

/** First digits of the schemes, the first and the last of each range, and their lengths. */
const schemes: ReadonlyArray<[firstDigits: readonly string[], lengths: readonly number[]]> = [
  [['4'], [13, 16, 19]],
  [['51', '52', '53', '54', '55', '2221', '2229', '2230', '2299', '2300', '2700', '2720'], [16]],
  [['34', '37'], [15]],
  [
    ['30', '36', '38', '39'],
    [14, 15, 16, 17, 18, 19]
  ],
  [
    ['35', '50', '56', '57', '58', '59', '60', '62', '65', '69'],
    [16, 17, 18, 19]
  ]
]

const allLengths = [12, 13, 14, 15, 16, 17, 18, 19, 20]

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

t.test('a UUID is no card number, though its digits may be those of one', async (t) => {
  for (const uuid of [
    'b2c3d4e5-f607-4111-8111-111111111111',
    '41111111-1111-4111-8a0b-1c2d3e4f5061'
  ]) {
    t.notOk(hasCardNumber(uuid), uuid)
    t.notOk(hasCardNumber(`basket ${uuid.toUpperCase()}, again`))
    t.equal(hideCardNumbers(uuid), uuid)
  }
  const number = '4111-1111-1111-1111'
  t.ok(hasCardNumber('11111111-1111-1111-4111-111111111111'), 'one of digits alone is looked into')
  t.ok(hasCardNumber(`b2c3d4e5-f607-4111-8111-111111111111 ${number}`), 'and so is what follows')
  t.ok(hasCardNumber(`${number} b2c3d4e5-f607-4111-8111-111111111111`))
  t.ok(hasCardNumber(`b2c3d4e5-f607 ${number}`), 'what is no whole UUID is none')
})

t.test('first digits of no scheme are no card number', async (t) => {
  for (const first of ['0', '1', '2220', '2721', '20', '29', '31', '32', '33', '7', '8', '9']) {
    t.notOk(
      allLengths.some((length) => hasCardNumber(numberOf(first, length))),
      first
    )
  }
})

t.test('the well-known test numbers are found', async (t) => {
  for (const number of [
    '4111111111111111',
    '4111 1111 1111 1111',
    '5555-5555-5555-4444',
    '2222 4000 7000 0005',
    '3700 0000 0000 002',
    '3714 496353 98431',
    '6703 4444 4444 4449',
    '3569 9900 1009 5841',
    '36006666333344',
    '4222222222222'
  ]) {
    t.ok(hasCardNumber(number), number)
  }
})

t.test('another last digit is no card number', async (t) => {
  const number = numberOf('4', 16)
  const last = Number(number.at(-1))
  for (let more = 1; more <= 9; more++) {
    t.notOk(hasCardNumber(number.slice(0, -1) + String((last + more) % 10)))
  }
})

t.test('any one wrong digit makes it no card number', async (t) => {
  const number = numberOf('4', 16)
  for (let place = 1; place < number.length; place++) {
    const wrong = String((Number(number[place]) + 1) % 10)
    t.notOk(hasCardNumber(number.slice(0, place) + wrong + number.slice(place + 1)), `at ${place}`)
  }
})

const good = '4111111111111111'

t.test('it is found wherever it stands in a text', async (t) => {
  for (const text of [
    `card ${good}`,
    `${good}, please`,
    `(${good})`,
    `card:${good};cvc`,
    `_${good}_`,
    `€${good}.`,
    `\n${good}\n`,
    `4111-1111 1111-1111`,
    `invoice 12345 ${good}`,
    `${good} 12/30`,
    `12 4111 1111 1111 1111 34`,
    `1234567890123456 ${good}`,
    `${good.slice(0, 4)} ${good.slice(4)}`,
    [...good].join(' '),
    [...good].join('-')
  ]) {
    t.ok(hasCardNumber(text), JSON.stringify(text))
  }
})

t.test('it is not part of a longer run of letters or digits', async (t) => {
  for (const text of [
    `x${good}`,
    `${good}x`,
    `é${good}`,
    `${good}日`,
    `1${good}`,
    `${good}12`,
    `pay${good}`,
    `${good}٣`,
    '4111 1111 1111 1111a',
    'a4111 1111 1111 1111'
  ]) {
    t.notOk(hasCardNumber(text), JSON.stringify(text))
  }
})

t.test('what a business writes is not taken for a card number', async (t) => {
  for (const text of [
    '',
    'Invoice INV-2026-000123 of 2026-01-31',
    '+44 20 7946 0958',
    '2026-01-31T10:15:00.123Z',
    '550e8400-e29b-41d4-a716-446655440000',
    'GB29 NWBK 6016 1331 9268 19',
    '12345678',
    '1234567890123',
    '0000000000000000',
    '9999999999999999',
    '411111111111',
    '4111.1111.1111.1111',
    '4111/1111/1111/1111'
  ]) {
    t.notOk(hasCardNumber(text), JSON.stringify(text))
  }
})

t.test('a log shows a text without its card numbers, and all else as it was', async (t) => {
  t.equal(hideCardNumbers(`a ${good} b`), 'a [card number] b')
  t.equal(
    hideCardNumbers(`${good}, 5555-5555-5555-4444.`),
    '[card number], [card number].',
    'all of them'
  )
  t.equal(hideCardNumbers('4111111111111112 is none'), '4111111111111112 is none')
  t.equal(hideCardNumbers('short'), 'short')
})

t.test('a card number in any grouping is found, and hidden without rest', async (t) => {
  const scheme = fc.constantFrom(...schemes)
  const digits = fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 19, maxLength: 19 })
  const card = fc
    .tuple(scheme, digits, fc.nat(), fc.nat())
    .map(([[first, lengths], rest, one, other]) => {
      const start = first[one % first.length] as string
      const length = lengths[other % lengths.length] as number
      return withCheckDigit((start + rest).slice(0, length - 1))
    })
  const separators = fc.array(fc.constantFrom('', '', '', ' ', '-'), {
    minLength: 19,
    maxLength: 19
  })
  fc.assert(
    fc.property(card, separators, (number, between) => {
      const text = [...number].map((digit, place) => digit + between[place]).join('')
      return (
        hasCardNumber(`to ${text} by`) && !/\d/.test(hideCardNumbers(`to ${text.trimEnd()} by`))
      )
    }),
    { numRuns: 500 }
  )
  t.pass('500 of them')
})

t.test('text that is made to be slow is read in linear time', async (t) => {
  // Were it quadratic, a text of this size would outlast the time that a test has.
  const size = 256 * 1024
  for (const part of [
    '1',
    '1 ',
    '1-',
    '11 ',
    '1  ',
    `${'1'.repeat(12)}  `,
    `${'1 '.repeat(12)}x`,
    `${'1'.repeat(13)}x`,
    `${'4'.repeat(19)} `,
    '4- '
  ]) {
    const text = `${part.repeat(Math.ceil(size / part.length)).slice(0, size)}x`
    t.doesNotThrow(() => hasCardNumber(text), part.slice(0, 14))
  }
})
