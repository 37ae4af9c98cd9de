/** What wakes a worker: the messages of the queue, which say where to look and never what is true there. */

import { z } from "zod";
import type { Clock } from "../clock.ts";
import type { Logger } from "./logger.ts";

/** A run to execute, a webhook to deliver, or a look at what is due. */
export type WakeUp = { readonly run_id: string } | { readonly webhook_id: string } | { readonly tick: true };

/** Wakes a worker. At least once, in no order: what is to be done is for the database to say, not for the message. */
export interface WakeUpQueue {
  /** @throws AppError `unavailable` */
  readonly send: (wakeUp: WakeUp, options?: { readonly notBefore?: Date | undefined }) => Promise<void>;
  /** Whether what is sent reaches a worker when this process is dead. False where no queue is set up, too. */
  readonly outlivesProcess: () => boolean;
  /** Looks whether there is a queue at all, and asks nobody. @throws AppError `unavailable` that says what is missing */
  readonly check: () => Promise<void>;
  /** How much is in it, in one or two requests. @throws AppError `unavailable` */
  readonly depth: (signal: AbortSignal) => Promise<QueueDepth>;
}

/** As the queue counts, which may be some moments behind. */
export interface QueueDepth {
  /** Those that are held back until they are due among them, and those that are being worked; undefined where we may not count. */
  readonly messages: number | undefined;
  /** Those that failed too often and were put aside; undefined where that does not happen, or cannot be told. */
  readonly deadLetters?: number | undefined;
}

/** After this long without an effect, a message is taken for lost. */
const PATIENCE_MS = 30_000;

export interface WakingDeps {
  readonly queue: WakeUpQueue;
  readonly clock: Clock;
  /** When this process began. */
  readonly startedAt: Date;
}

/** What waits since before this has lost its message: it had time enough, or was in a queue that ended with its process. */
export function forgottenSince({ queue, clock, startedAt }: WakingDeps): Date {
  const patient = new Date(clock.now().getTime() - PATIENCE_MS);
  return queue.outlivesProcess() || startedAt < patient ? patient : startedAt;
}

/** For what the database has already, which a message that is not sent must not undo: a timer finds it, too. */
export async function wake(
  { queue, logger }: { readonly queue: WakeUpQueue; readonly logger: Logger },
  wakeUp: WakeUp,
  notBefore?: Date,
): Promise<void> {
  await queue.send(wakeUp, { notBefore }).catch((error: unknown) => {
    logger.warn({ ...wakeUp, err: error }, "A worker could not be woken; the timer will do it");
  });
}

const Time = { not_before: z.coerce.date().optional() };
const Message = z.union([
  z.object({ run_id: z.guid(), ...Time }),
  z.object({ webhook_id: z.guid(), ...Time }),
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
