/** The second and the third door on Lambda: SQS and the scheduler. */

import type { Doors, Invocation, TickReport } from "../core/model.ts";
import { assertQueueEvent, type LambdaContext, type QueueEvent, type QueueResult } from "./events.ts";
import { openTime, type InvocationTime } from "./invocation.ts";

export type QueueHandler = (event: QueueEvent, context: LambdaContext) => Promise<QueueResult>;
/** The event says nothing that matters. */
export type ScheduleHandler = (event: unknown, context: LambdaContext) => Promise<TickReport>;

/**
 * Works all messages of a batch at once. What fails is delivered again, and ends in the dead-letter queue. No loss is for
 * ever: the schedule wakes what waits for too long.
 */
export function queueHandler(doors: () => Doors): QueueHandler {
  return async (event, context) => {
    assertQueueEvent(event);
    using time = openTime(context);
    const results = await Promise.allSettled(
      event.Records.map(async ({ body }) => doors().work(parsed(body), invocation(time))),
    );
    const batchItemFailures: QueueResult["batchItemFailures"] = [];
    for (const [index, { messageId }] of event.Records.entries()) {
      const result = results[index];
      if (result?.status !== "rejected") continue;
      console.error(result.reason);
      batchItemFailures.push({ itemIdentifier: messageId });
    }
    return { batchItemFailures };
  };
}

export function scheduleHandler(doors: () => Doors): ScheduleHandler {
  return async (_event, context) => {
    using time = openTime(context);
    return await doors().tick(invocation(time));
  };
}

/** Undefined for what is no JSON. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function invocation({ signal, deadline }: InvocationTime): Invocation {
  return { signal, deadline, authLevel: "admin" };
}
