/** What a search answers: a page, and how much there is besides. */

export interface Found<Item> {
  readonly items: readonly Item[];
  /** Of all that match, on whichever page. */
  readonly total: number;
  /** Where the next page starts, if there is one. */
  readonly next: number | null;
}

export function foundOn<Item>(
  { limit, offset }: { readonly limit: number; readonly offset: number },
  items: readonly Item[],
  total: number,
): Found<Item> {
  const end = offset + limit;
  return { items, total, next: total > end ? end : null };
}
