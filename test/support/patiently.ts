import { vi } from "vitest";

/** `vi.waitFor` with the patience that a busy machine takes. */
export async function patiently<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000 });
}
