import t from 'tap'
import { foldIdentifier, isIdentifier } from '../src/identifier.ts'

t.test('A15: one identifier is the same however it is written', async (t) => {
  const same = [
    ['agent-7', 'Agent-7', ' AGENT-7 ', 'ａｇｅｎｔ－７', 'agent\u200b-7', 'agent\u00ad-7'],
    ['straße', 'STRASSE', 'Strasse', 'STRAẞE'],
    ['Ἀχιλλεύς', 'ἈΧΙΛΛΕΎΣ'],
    ['office', 'oﬃce'],
    ['Zoë', 'Zoe\u0308', 'ZOË'],
    ['Anna  Lee', 'anna lee', 'anna\u3000lee']
  ]
  for (const all of same) {
    t.equal(new Set(all.map(foldIdentifier)).size, 1, all.join(' '))
  }
  t.equal(new Set(same.flatMap((all) => all.map(foldIdentifier))).size, same.length)
})

t.test('A15: so it is for every letter of Unicode', async (t) => {
  const differing: string[] = []
  for (let code = 0; code <= 0x10ffff; code += 1) {
    const letter = String.fromCodePoint(code)
    if (!/\p{L}/u.test(letter)) continue
    const folded = foldIdentifier(letter)
    const others = [letter.toLowerCase(), letter.toUpperCase(), letter.normalize('NFKD'), folded]
    if (others.some((other) => foldIdentifier(other) !== folded)) differing.push(letter)
  }
  t.same(differing, [])
})

t.test('A15: what cannot be seen is in no identifier', async (t) => {
  for (const text of ['agent-7', 'Zoë Straße', 'агент', '客服 7', 'a'])
    t.ok(isIdentifier(text), text)
  const unseen = [
    0x0, 0x7, 0x9, 0xa, 0x85, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x180e, 0x2003, 0x200b
  ]
  const more = [0x200d, 0x2028, 0x202e, 0x2060, 0x2066, 0x2800, 0x3000, 0x3164, 0xfe0f, 0xfeff]
  for (const code of [...unseen, ...more, 0xffa0, 0xe000, 0xd800, 0x1d173, 0xe0020, 0xe0100]) {
    t.notOk(isIdentifier(`agent${String.fromCodePoint(code)}7`), code.toString(16))
  }
  t.notOk(isIdentifier('   '))
})
