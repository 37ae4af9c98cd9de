/** What a run may be: its caller is asked about, and whoever decides of it may change what it is asked with. */

import { isDeepStrictEqual } from "node:util";
import type { Caller, Grant } from "./auth.ts";
import type { JsonObject } from "./model.ts";
import type { RunKwargs } from "./run-kwargs.ts";

interface AskedRun extends JsonObject {
  readonly metadata: JsonObject;
  readonly kwargs: RunKwargs;
}

/**
 * The run as it may be made. What is decided about is JSON; a registered configuration, and what a graph's schema makes
 * of an input, may have more in it than JSON has words for, and keep it where they are left as they were.
 * @throws AppError `forbidden`
 */
export async function grantRun<Asked extends AskedRun>(caller: Caller, asked: Asked): Promise<Grant<Asked>> {
  const event = "threads:create_run";
  if (caller.owner === null) return caller.authorize(event, asked);
  const { kwargs } = asked;
  const plain = inJson(kwargs);
  const { value, scope } = await caller.authorize(event, { ...asked, kwargs: { ...kwargs, ...plain } });
  const { input, config } = value.kwargs;
  const left = {
    ...(isDeepStrictEqual(config, plain.config) ? { config: kwargs.config } : {}),
    ...("input" in kwargs && isDeepStrictEqual(input, plain.input) ? { input: kwargs.input } : {}),
  };
  return { value: { ...value, kwargs: { ...value.kwargs, ...left } }, scope };
}

function inJson({ input, config }: RunKwargs): Pick<RunKwargs, "input" | "config"> {
  // oxlint-disable-next-line typescript/no-unsafe-return -- the same, without what JSON has no words for
  return JSON.parse(JSON.stringify({ input, config }));
}
