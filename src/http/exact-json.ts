/** JSON whose numbers stay the text that they were sent as: no amount ever passes a double. */

/** A number of JSON as it is written, `11.60` or `1e2`; `JSON.stringify` writes it so again. */
export type ExactNumber = { readonly rawJSON: string }

type ExactJson = {
  rawJSON(text: string): ExactNumber
  isRawJSON(value: unknown): value is ExactNumber
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown
  ): unknown
}
/** As Node 24 has it (proposal JSON.parse source text access), which TypeScript does not know. */
const exactJson = JSON as unknown as ExactJson

export const isExactNumber = (value: unknown): value is ExactNumber => exactJson.isRawJSON(value)

/** `text`: digits with or without sign, decimals and exponent, as JSON writes a number. */
export const toExactNumber = (text: string): ExactNumber => exactJson.rawJSON(text)

/** Text that is JSON already. */
export function parseExact(text: string): unknown {
  return exactJson.parse(text, (_, value, { source }) =>
    typeof value === 'number' && source !== undefined ? toExactNumber(source) : value
  )
}
