/** What tells users apart. */

/** Of what callers make who need not sign in, where others do. No user has this identity. */
export const NOBODY = "";

export const LONGEST_IDENTITY = 512;

/** Whether it tells somebody apart from everybody else, also once it has been stored: Postgres keeps no half characters. */
export function isIdentity(value: unknown): value is string {
  if (typeof value !== "string" || value === NOBODY || value.length > LONGEST_IDENTITY) return false;
  return value.isWellFormed() && !value.includes("\0");
}
