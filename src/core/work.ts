/** The second door: what is done about a message of the queue. */

import { activeTrace, inSpan } from "../telemetry.ts";
import type { Invocation } from "./model.ts";
import { messagingAttributes } from "./observed.ts";
import { workRun } from "./runs.ts";
import { tick, type TickDeps } from "./tick.ts";
import { readMessage, type ReadMessage, type WakeUp } from "./wake-ups.ts";
import { deliverWebhook } from "./webhooks.ts";

/** Does what a message asks for; what is no message of ours is dropped. Rejects when it should be delivered again. */
export async function workMessage(deps: TickDeps, sent: unknown, invocation: Invocation): Promise<void> {
  const message = readMessage(sent);
  if (message === null) {
    deps.logger.warn({}, "Dropped a queue message that is none of ours");
    return;
  }
  const { attributes, destination } = messagingAttributes(deps.queue, "process", message.wakeUp);
  const { traceparent } = message;
  const options = {
    kind: "consumer",
    attributes,
    // Its sender's trace goes on; where a host traces its invocations, in that one it is found by a link.
    ...(traceparent === undefined ? {} : { parent: { traceparent } }),
    links: traceparent === undefined ? [] : [activeTrace(), invocation.traceContext],
    origin: invocation.traceContext,
  } as const;
  await inSpan(`process ${destination}`, options, async () => handle(deps, message, invocation));
}

async function handle(
  deps: TickDeps,
  { wakeUp, notBefore, traceparent }: ReadMessage,
  invocation: Invocation,
): Promise<void> {
  // Queues cannot hold a message back for ever.
  try {
    if (notBefore !== undefined && notBefore > deps.clock.now())
      await deps.queue.send(wakeUp, { notBefore, traceparent });
    else await workWakeUp(deps, wakeUp, invocation);
  } catch (error) {
    deps.logger.error({ ...wakeUp, err: error }, "A queue message failed; it should be delivered again");
    throw error;
  }
}

/** One branch for each kind of wake-up. */
async function workWakeUp(deps: TickDeps, wakeUp: WakeUp, invocation: Invocation): Promise<void> {
  if ("run_id" in wakeUp) return workRun(deps, wakeUp.run_id, invocation);
  if ("webhook_id" in wakeUp) return deliverWebhook(deps, wakeUp.webhook_id, invocation);
  await tick(deps, invocation);
}
