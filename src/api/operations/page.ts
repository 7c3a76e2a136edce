import type { Json } from '../../base/json.ts'

/**
 * The elements after the exclusive cursor, at most `limit`, of a list in the order of its keys. The
 * cursor need not be in the list.
 */
export function pageAfter<Element>(
  elements: readonly Element[],
  keyOf: (element: Element) => string,
  cursor: Json | undefined,
  limit: number,
): { readonly page: readonly Element[]; readonly hasMore: boolean } {
  const rest =
    typeof cursor === 'string' ? elements.filter((element) => keyOf(element) > cursor) : elements
  return { page: rest.slice(0, limit), hasMore: rest.length > limit }
}
