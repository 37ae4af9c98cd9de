/**
 * A graph that goes on from a checkpoint emits again what it has restored: first the state, then the updates of tasks
 * that had finished. Who follows the run has had them, unless they were lost together with the former executor.
 */

import { createHash } from "node:crypto";
import { isJsonObject } from "../core/model.ts";

/** A filter for chunks; undefined for one that is in the log already. */
export type ChunkFilter = (event: string, data: unknown) => unknown;

export function withoutRepeats(logged: readonly string[]): ChunkFilter {
  const known = new Set(logged);
  let isState = true;
  return (event, data) => {
    const restored = event === "values" && isState ? data : restoredUpdate(event, data);
    if (event === "values") isState = false;
    if (restored === undefined) return data;
    return known.has(digest(event, restored)) ? undefined : restored;
  };
}

/** An update that LangGraph marks as restored, without the mark. */
function restoredUpdate(event: string, data: unknown): unknown {
  if (event !== "updates" || !isJsonObject(data)) return undefined;
  const { __metadata__: mark, ...update } = data;
  return isJsonObject(mark) && mark["cached"] === true ? update : undefined;
}

function digest(event: string, data: unknown): string {
  return createHash("md5")
    .update(`${event} ${JSON.stringify(data)}`)
    .digest("hex");
}
