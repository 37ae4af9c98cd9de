/** Serves an app on AWS Lambda. */

import type { Doors } from "../core/model.ts";
import type { Keys } from "../keys.ts";
import { readKeys } from "../settings.ts";
import { bufferedHandler, streamingHandler, type BufferedHandler, type StreamingHandler } from "./http.ts";
import { streamingRuntime } from "./runtime.ts";

export interface LambdaApp {
  /** Called with each invocation. */
  readonly doors: () => Doors;
}

export interface LambdaOptions {
  /**
   * Whether the front takes streamed responses, which its events do not tell. By default a Function URL does
   * (`InvokeMode: RESPONSE_STREAM`) and a REST API does not (`responseTransferMode: STREAM` makes it). HTTP APIs and load
   * balancers never do.
   */
  readonly streaming?: boolean;
}

export interface LambdaHandlers {
  /** For a Function URL, API Gateway or a load balancer. */
  readonly http: BufferedHandler | StreamingHandler;
}

/** The handlers to export from the entry module. Callers show the keys `FUNCTION_KEY` and `ADMIN_KEY`; none is open without. */
export function serveOnLambda(app: LambdaApp, { streaming }: LambdaOptions = {}): LambdaHandlers {
  let keys: Keys | undefined;
  const door = {
    doors: () => app.doors(),
    keys: () => (keys ??= readKeys()),
    streaming,
  };
  const runtime = streamingRuntime();
  return {
    http: runtime ? runtime.streamifyResponse(streamingHandler(door, runtime)) : bufferedHandler(door),
  };
}
