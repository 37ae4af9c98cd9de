/**
 * The stacks of a bundle in terms of its sources. Loaded first in what the program builds. Node's own
 * `--enable-source-maps` reads every map when its chunk is loaded, in each cold start; here a map is read when the first
 * stack that goes through its chunk is looked at.
 */

import { readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload, type SourceMapping } from "node:module";
import { fileURLToPath } from "node:url";

const NODES_OWN = "ErrorPrepareStackTrace";

/** By the URL of the chunk; null where there is none. */
const maps = new Map<string, SourceMap | null>();

function mapOf(url: string): SourceMap | null {
  let map = maps.get(url);
  if (map === undefined) {
    map = readMap(url);
    maps.set(url, map);
  }
  return map;
}

function readMap(url: string): SourceMap | null {
  if (!url.startsWith("file:") || !url.endsWith(".js")) return null;
  try {
    const map: unknown = JSON.parse(readFileSync(fileURLToPath(`${url}.map`), "utf8"));
    return isSourceMap(map) ? new SourceMap(map) : null;
  } catch {
    return null; // nobody has put it there
  }
}

function isSourceMap(map: unknown): map is SourceMapPayload {
  return typeof map === "object" && map !== null && "mappings" in map;
}

/** V8's own; its declaration leaves out how it is written. */
interface Frame extends NodeJS.CallSite {
  readonly toString: () => string;
}

/** As V8 writes a frame, with the place in the source: `at agent (functions/graphs/chat.ts:12:5)`. */
function shownFrame(frame: Frame): string {
  const text = `    at ${frame.toString()}`;
  const [url, line, column] = [frame.getFileName(), frame.getLineNumber(), frame.getColumnNumber()];
  if (!url || line === null || column === null) return text;
  const entry: Partial<SourceMapping> = mapOf(url)?.findEntry(line - 1, column - 1) ?? {};
  const { originalSource, originalLine = 0, originalColumn = 0 } = entry;
  if (originalSource === undefined) return text; // what the bundler puts between has none, whatever the type says
  const source = originalSource.replace(/^(\.\.\/)+/, ""); // it is told from the folder of the bundle
  return text
    .replace(`${url}:${line}:${column}`, `${source}:${originalLine + 1}:${originalColumn + 1}`)
    .replace(` ${frame.getTypeName()}.`, " "); // V8 takes it from the bundle, where it is some letter
}

const before: unknown = Reflect.get(Error, "prepareStackTrace");
// Node's own is not kept, but what somebody has set on purpose.
if (typeof before !== "function" || before.name === NODES_OWN)
  Error.prepareStackTrace = (error, frames) =>
    [Error.prototype.toString.call(error), ...frames.map(shownFrame)].join("\n");
