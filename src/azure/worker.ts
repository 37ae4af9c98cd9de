/** The second and the third door on Azure: the queue trigger and the timer. */

import type { InvocationContext, StorageQueueHandler, TimerHandler } from "@azure/functions";
import type { Clock } from "../clock.ts";
import type { Doors, Invocation } from "../core/model.ts";
import type { Invocations } from "./invocations.ts";
import { hostsTrace } from "./trace.ts";

export interface WorkerDoor {
  readonly doors: Doors;
  readonly invocations: Invocations;
  readonly functionTimeoutMs: number;
  readonly clock: Clock;
}

/**
 * What it throws, the host delivers again, and puts aside as poison in the end. No loss is for ever: the timer wakes what
 * waits for too long. The host has decoded base64, and JSON where it was any.
 */
export function queueHandler(door: WorkerDoor): StorageQueueHandler {
  return async (message, context) => {
    await during(door, context, async (invocation) => door.doors.work(message, invocation));
  };
}

export function timerHandler(door: WorkerDoor): TimerHandler {
  return async (_timer, context) => {
    await during(door, context, door.doors.tick);
  };
}

async function during(
  { invocations, functionTimeoutMs, clock }: WorkerDoor,
  context: InvocationContext,
  call: (invocation: Invocation) => Promise<unknown>,
): Promise<void> {
  const controller = invocations.begin();
  try {
    const deadline = new Date(clock.now().getTime() + functionTimeoutMs);
    await call({ signal: controller.signal, deadline, authLevel: "admin", ...hostsTrace(context) });
  } finally {
    invocations.end(controller);
  }
}
