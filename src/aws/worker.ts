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
export function queueHandler(doors: Doors): QueueHandler {
  return async (event, context) => {
    assertQueueEvent(event);
    using time = await openTime(context);
    const batchItemFailures: QueueResult["batchItemFailures"] = [];
    const called = invocation(time, context);
    await Promise.all(
      event.Records.map(async ({ messageId, body }) =>
        doors.work(parsed(body), called).catch(() => batchItemFailures.push({ itemIdentifier: messageId })),
      ),
    );
    await doors.flush(time.signal);
    return { batchItemFailures };
  };
}

export function scheduleHandler(doors: Doors): ScheduleHandler {
  return async (_event, context) => {
    using time = await openTime(context);
    try {
      return await doors.tick(invocation(time, context));
    } finally {
      await doors.flush(time.signal);
    }
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

function invocation(
  { signal, deadline }: InvocationTime,
  { awsRequestId: requestId }: LambdaContext,
): Invocation {
  return { signal, deadline, authLevel: "admin", ...(requestId && { requestId }) };
}
