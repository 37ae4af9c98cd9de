/** The second and the third door on Lambda: SQS and the scheduler. */

import type { Clock } from "../clock.ts";
import type { Doors, Invocation, TickReport } from "../core/model.ts";
import type { RunQueue } from "../core/ports.ts";
import { assertQueueEvent, type LambdaContext, type QueueEvent, type QueueResult } from "./events.ts";
import { openTime, type InvocationTime } from "./invocation.ts";
import { readWakeUp } from "./queue.ts";

export interface QueueDoor {
  readonly doors: () => Doors;
  readonly queue: RunQueue;
  readonly clock: Clock;
}

export type QueueHandler = (event: QueueEvent, context: LambdaContext) => Promise<QueueResult>;
/** The event says nothing that matters. */
export type ScheduleHandler = (event: unknown, context: LambdaContext) => Promise<TickReport>;

/**
 * Works all runs of a batch at once. What fails is delivered again, and ends in the dead-letter queue. That is for a
 * database that is away; what no repetition mends is dropped. No loss is for ever: the schedule wakes what waits for too long.
 */
export function queueHandler(door: QueueDoor): QueueHandler {
  return async (event, context) => {
    assertQueueEvent(event);
    using time = openTime(context);
    const results = await Promise.allSettled(event.Records.map(({ body }) => deliver(door, body, time)));
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

async function deliver(
  { doors, queue, clock }: QueueDoor,
  body: string,
  time: InvocationTime,
): Promise<void> {
  const wakeUp = readWakeUp(body);
  if (wakeUp === null) {
    console.warn("Dropped a queue message that names no run");
  } else if (wakeUp.not_before !== undefined && wakeUp.not_before > clock.now()) {
    await queue.send(wakeUp.run_id, { notBefore: wakeUp.not_before });
  } else {
    await doors().work(wakeUp.run_id, invocation(time));
  }
}

function invocation({ signal, deadline }: InvocationTime): Invocation {
  return { signal, deadline, authLevel: "admin" };
}
