/** The second and the third door on Azure: the queue trigger and the timer. */

import type { StorageQueueHandler, TimerHandler } from "@azure/functions";
import type { Clock } from "../clock.ts";
import type { Doors, Invocation } from "../core/model.ts";
import type { Invocations } from "./invocations.ts";

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
  return async (message) => {
    await during(door, async (invocation) => door.doors.work(message, invocation));
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
