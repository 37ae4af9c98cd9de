/** Where in a project's own files it is that something cannot be loaded. */

import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** One line, or several of a compiler's; with file and line, if those are known. */
export function explainLoading(error: unknown, folder: string): string {
  const message = error instanceof Error ? error.message : String(error);
  const shown = message.replaceAll(join(folder, "/"), "").replaceAll("file://", "");
  const place = error instanceof Error ? placeOf(error, folder) : undefined;
  return place === undefined || shown.includes(place.split(":")[0] ?? place) ? shown : `${place}: ${shown}`;
}

/** The first place of the stack that is in the project. */
function placeOf({ stack = "" }: Error, folder: string): string | undefined {
  for (const [, path = "", line = ""] of stack.matchAll(
    /((?:file:\/\/)?\/[^\s():]+|[A-Z]:\\[^\s():]+):(\d+)/g,
  )) {
    const file = relative(folder, path.startsWith("file://") ? fileURLToPath(path) : path);
    if (!file.startsWith("..") && !file.includes("node_modules")) return `${file}:${line}`;
  }
  return undefined;
}
