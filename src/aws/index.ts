/** Serves an app on AWS Lambda. */

import { systemClock } from "../clock.ts";
import type { Doors } from "../core/model.ts";
import type { WakeUpQueue } from "../core/wake-ups.ts";
import { readKeys, readLambdaSettings } from "../host-settings.ts";
import type { LambdaOptions } from "./fronts.ts";
import { bufferedHandler, streamingHandler, type BufferedHandler, type StreamingHandler } from "./http.ts";
import { sqsQueue } from "./queue.ts";
import { streamingRuntime } from "./runtime.ts";
import { queueHandler, scheduleHandler, type QueueHandler, type ScheduleHandler } from "./worker.ts";

export interface LambdaApp {
  /** @throws TypeError for an app that must not be on the internet as it is */
  readonly checkDeployable: () => void;
  /** Called once. @throws Error that lists each variable of the environment that is missing or wrong */
  readonly doors: (host: { readonly queue: WakeUpQueue }) => Doors;
}

export type { LambdaOptions };

export interface LambdaHandlers {
  /** For a Function URL, API Gateway or a load balancer. */
  readonly http: BufferedHandler | StreamingHandler;
  /** For the queue `RUN_QUEUE_URL`, with `ReportBatchItemFailures`. */
  readonly worker: QueueHandler;
  /** For EventBridge Scheduler, each minute or less often. */
  readonly schedule: ScheduleHandler;
}

/**
 * The handlers to export from the entry module. Callers show the keys `FUNCTION_KEY` and `ADMIN_KEY`; none is open without.
 * @throws TypeError for an option that is wrong, and for an app without any access control that does not say `auth: "none"`; Error that lists each variable
 * of the environment that is missing or wrong. A deployment that cannot serve says so when it starts.
 */
export function serveOnLambda(app: LambdaApp, options: LambdaOptions = {}): LambdaHandlers {
  const { frontTimeoutSeconds = 29 } = options;
  if (!(frontTimeoutSeconds >= 5 && frontTimeoutSeconds <= 900))
    throw new TypeError("frontTimeoutSeconds: must be 5 to 900");
  app.checkDeployable();
  const { queueUrl, signOfLifeMs } = readLambdaSettings();
  const doors = app.doors({ queue: sqsQueue(queueUrl, systemClock) });
  const door = { ...options, doors, keys: readKeys(), hasQueue: queueUrl !== undefined };
  const runtime = streamingRuntime();
  return {
    http: runtime
      ? runtime.streamifyResponse(streamingHandler({ ...door, signOfLifeMs }, runtime))
      : bufferedHandler(door),
    worker: queueHandler(doors),
    schedule: scheduleHandler(doors),
  };
}
