/** What wakes a worker: the messages of the queue, which say where to look and never what is true there. */

import { z } from "zod";
import type { Clock } from "../clock.ts";
import { outsideSpans } from "../telemetry.ts";
import type { Logger } from "./logger.ts";

/** A run to execute, a webhook to deliver, or a look at what is due. */
export type WakeUp = { readonly run_id: string } | { readonly webhook_id: string } | { readonly tick: true };

/** Wakes a worker. At least once, in no order: what is to be done is for the database to say, not for the message. */
export interface WakeUpQueue {
  /** @throws AppError `unavailable` */
  readonly send: (wakeUp: WakeUp, options?: SendOptions) => Promise<void>;
  /** What traces and metrics call it. */
  readonly names?: () => QueueNames;
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

/** What a message says besides. */
export interface SendOptions {
  readonly notBefore?: Date | undefined;
  /** The trace that goes on with whoever receives it. */
  readonly traceparent?: string | undefined;
}

export interface QueueNames {
  /** As OpenTelemetry's `messaging.system`. */
  readonly system: string;
  readonly destination: string;
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

/** Wakes a worker for a run that this work has only made way for: what becomes of it is no part of our trace. */
export async function wakeAnother(
  deps: { readonly queue: WakeUpQueue; readonly logger: Logger },
  wakeUp: WakeUp,
): Promise<void> {
  await outsideSpans(async () => wake(deps, wakeUp));
}

const Options = {
  not_before: z.coerce.date().optional(),
  traceparent: z.string().optional().catch(undefined), // it changes nothing of what is done
};
const Message = z.union([
  z.object({ run_id: z.guid(), ...Options }),
  z.object({ webhook_id: z.guid(), ...Options }),
  z.object({ tick: z.literal(true), ...Options }),
]);

/** A message as the queue carries it. */
export interface ReadMessage {
  readonly wakeUp: WakeUp;
  /** When it should come; a queue that cannot delay for so long delivers it before that. */
  readonly notBefore: Date | undefined;
  readonly traceparent: string | undefined;
}

/** Null for what is no message of ours. */
export function readMessage(sent: unknown): ReadMessage | null {
  const { data } = Message.safeParse(sent);
  if (data === undefined) return null;
  const { not_before: notBefore, traceparent, ...wakeUp } = data;
  return { wakeUp, notBefore, traceparent };
}

/** What `readMessage` reads. */
export function messageOf(wakeUp: WakeUp, { notBefore, traceparent }: SendOptions): object {
  return { ...wakeUp, not_before: notBefore, traceparent };
}

/** How long a queue is to hold a message back, in whole seconds, if it can do so for `maxSeconds`. */
export function delaySeconds(notBefore: Date | undefined, now: Date, maxSeconds: number): number {
  const delayMs = notBefore === undefined ? 0 : notBefore.getTime() - now.getTime();
  return Math.min(Math.max(0, Math.ceil(delayMs / 1000)), maxSeconds);
}
