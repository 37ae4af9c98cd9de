/** The second and the third door on Azure: the queue trigger and the timer. */

import type { StorageQueueHandler, TimerHandler } from "@azure/functions";
import type { Clock } from "../clock.ts";
import type { Doors, Invocation } from "../core/model.ts";
import type { RunQueue } from "../core/ports.ts";
import type { Invocations } from "./invocations.ts";
import { readWakeUp } from "./queue.ts";

export interface WorkerDoor {
  readonly doors: Doors;
  readonly queue: RunQueue;
  readonly invocations: Invocations;
  readonly functionTimeoutMs: number;
  readonly clock: Clock;
}

/**
 * What it throws, the host delivers again, and puts aside as poison in the end. That is for a database that is away; what
 * no repetition mends is dropped. No loss is for ever: the timer wakes what waits for too long.
 */
export function queueHandler(door: WorkerDoor): StorageQueueHandler {
  return async (entry, context) => {
    const wakeUp = readWakeUp(entry);
    if (wakeUp === null) {
      context.warn("Dropped a queue message that names no run");
    } else if (wakeUp.not_before !== undefined && wakeUp.not_before > door.clock.now()) {
      await door.queue.send(wakeUp.run_id, { notBefore: wakeUp.not_before });
    } else {
      await during(door, (invocation) => door.doors.work(wakeUp.run_id, invocation));
    }
  };
}

export function timerHandler(door: WorkerDoor): TimerHandler {
  return async () => {
    await during(door, door.doors.tick);
  };
}

async function during(
  { invocations, functionTimeoutMs, clock }: WorkerDoor,
  call: (invocation: Invocation) => Promise<unknown>,
): Promise<void> {
  const controller = invocations.begin();
  try {
    const deadline = new Date(clock.now().getTime() + functionTimeoutMs);
    await call({ signal: controller.signal, deadline, authLevel: "admin" });
  } finally {
    invocations.end(controller);
  }
}
