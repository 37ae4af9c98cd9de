/** The second door: what is done about a message of the queue. */

import type { Invocation } from "./model.ts";
import type { Logger } from "./ports.ts";
import { sweepRuns, workRun, type RunDeps } from "./runs.ts";
import { readMessage, type WakeUp } from "./wake-ups.ts";

export interface WorkDeps extends RunDeps {
  readonly logger: Logger;
}

/** Does what a message asks for; what is no message of ours is dropped. Rejects when it should be delivered again. */
export async function workMessage(deps: WorkDeps, sent: unknown, invocation: Invocation): Promise<void> {
  const message = readMessage(sent);
  if (message === null) {
    deps.logger.warn({}, "Dropped a queue message that is none of ours");
    return;
  }
  const { wakeUp, notBefore } = message;
  // Queues cannot hold a message back for ever.
  if (notBefore !== undefined && notBefore > deps.clock.now()) return deps.queue.send(wakeUp, { notBefore });
  await workWakeUp(deps, wakeUp, invocation);
}

/** One branch for each kind of wake-up. */
async function workWakeUp(deps: WorkDeps, wakeUp: WakeUp, invocation: Invocation): Promise<void> {
  if ("run_id" in wakeUp) return workRun(deps, wakeUp.run_id, invocation);
  await sweepRuns(deps);
}
