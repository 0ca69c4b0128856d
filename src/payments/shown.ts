/** What is only shown of a payment: no rule reads it, and several sources know parts of it. */

/**
 * What is known, with what another source of the same fact knows more: so it is the same in
 * whatever order they come. The same object where nothing is added.
 */
export function filled<T extends object>(known: T | null, more: T | null | undefined): T | null {
  if (known === null || more === null || more === undefined) return known ?? more ?? null
  const missing = (Object.keys(more) as (keyof T)[]).filter(
    (part) => (known[part] ?? null) === null && (more[part] ?? null) !== null
  )
  return missing.length === 0
    ? known
    : { ...known, ...Object.fromEntries(missing.map((part) => [part, more[part]])) }
}
