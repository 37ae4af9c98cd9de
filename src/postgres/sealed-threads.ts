/** Searches of threads whose contents are sealed: what the database cannot look into is looked into here. */

import { isJsonObject, type Thread } from "../core/model.ts";
import type { FoundThread, ThreadField, ThreadPage } from "../core/thread-store.ts";
import type { Cipher } from "./encryption.ts";
import { openThread } from "./sealed.ts";

/** `read` gets a page that brings all that is needed to show what is asked for. */
export async function findSealed(
  cipher: Cipher,
  { extract, ...page }: ThreadPage,
  read: (page: ThreadPage) => Promise<readonly Partial<Thread>[]>,
): Promise<readonly FoundThread[]> {
  const paths = Object.entries(extract ?? {});
  const fields = new Set<ThreadField>(["thread_id", ...page.select, ...paths.map(([, { field }]) => field)]);
  const found = await read({ ...page, select: [...fields] });
  return found.map((sealed) => {
    const thread = openThread(cipher, sealed);
    const extracted = paths.map(([alias, path]) => [alias, valueAt(thread[path.field], path.path)] as const);
    const shown: FoundThread = extract === undefined ? {} : { extracted: Object.fromEntries(extracted) };
    return page.select.reduce((fields, field) => Object.assign(fields, { [field]: thread[field] }), shown);
  });
}

/** As Postgres's `#>` has it: null where the path leads nowhere. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce(step, value) ?? null;
}

function step(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return /^[-+]?\d+$/.test(name) ? (value.at(Number(name)) as unknown) : undefined;
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
