/** What wakes a worker: the messages of the queue, which say where to look and never what is true there. */

import { z } from "zod";

/** A run to execute, or a look at what is due. */
export type WakeUp = { readonly run_id: string } | { readonly tick: true };

/** Wakes a worker. At least once, in no order: what is to be done is for the database to say, not for the message. */
export interface WakeUpQueue {
  /** @throws AppError `unavailable` */
  readonly send: (wakeUp: WakeUp, options?: { readonly notBefore?: Date | undefined }) => Promise<void>;
}

const Time = { not_before: z.coerce.date().optional() };
const Message = z.union([
  z.object({ run_id: z.guid(), ...Time }),
  z.object({ tick: z.literal(true), ...Time }),
]);

/** A message as the queue carries it. */
export interface ReadMessage {
  readonly wakeUp: WakeUp;
  /** When it should come; a queue that cannot delay for so long delivers it before that. */
  readonly notBefore: Date | undefined;
}

/** Null for what is no message of ours. */
export function readMessage(sent: unknown): ReadMessage | null {
  const { data } = Message.safeParse(sent);
  if (data === undefined) return null;
  const { not_before: notBefore, ...wakeUp } = data;
  return { wakeUp, notBefore };
}

/** What `readMessage` reads. */
export function messageOf(wakeUp: WakeUp, notBefore: Date | undefined): object {
  return { ...wakeUp, not_before: notBefore };
}

/** How long a queue is to hold a message back, in whole seconds, if it can do so for `maxSeconds`. */
export function delaySeconds(notBefore: Date | undefined, now: Date, maxSeconds: number): number {
  const delayMs = notBefore === undefined ? 0 : notBefore.getTime() - now.getTime();
  return Math.min(Math.max(0, Math.ceil(delayMs / 1000)), maxSeconds);
}
