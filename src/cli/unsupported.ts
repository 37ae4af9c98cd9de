import { z } from "zod";

/** A key that we know and cannot honour: served in spite of it, the project would not do what it says. */
export function unsupported(message: string) {
  return z.undefined({ error: message }).optional();
}
