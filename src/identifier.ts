/** Names by which people and systems are known, and compared: what looks the same is the same. */

/**
 * Control, format and other invisible characters; spaces but for the plain one; and those that are
 * shown as nothing (Default_Ignorable_Code_Point, the blank pattern of Braille).
 */
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu
const otherSpaces = /(?! )\p{Zs}/u

/** Whether each character can be seen, apart from plain spaces, and any can. */
export function isIdentifier(text: string): boolean {
  return text.trim() !== '' && text.search(invisible) < 0 && !otherSpaces.test(text)
}

/**
 * The same for all ways of writing one identifier: by compatibility (full-width letters, ligatures;
 * NFKC), without regard to case (STRASSE, straße), to spaces around it and how many there are in
 * it, and to what cannot be seen, which may be in what was kept before it was refused.
 */
export function foldIdentifier(text: string): string {
  const seen = text.normalize('NFKC').replace(invisible, '').replace(/\s+/g, ' ').trim()
  return seen.toLowerCase().toUpperCase().normalize('NFKC')
}
