/** Where we answer otherwise than the official in-memory server does, and why. */

export interface KnownDifference {
  /** In these cases. */
  readonly cases: RegExp;
  /** At these places: `2.body.metadata.created_by`. */
  readonly at: RegExp;
  readonly why: string;
}

export const KNOWN: readonly KnownDifference[] = [];
