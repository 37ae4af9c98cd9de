/** The rules of webhooks: what is told of a run that has ended, at least once, until the receiver has taken it. */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { inSpan, type SpanAttributes } from "../telemetry.ts";
import { measure } from "../telemetry-metrics.ts";
import type { Invocation, JsonObject, RunStatus } from "./model.ts";
import type { Logger } from "./logger.ts";
import type { WakeUpQueue } from "./wake-ups.ts";

/** An attempt that has not said by then what became of it is taken for lost. */
const ATTEMPT_LEASE_MS = 60_000;
/** A receiver that has not answered by then has not taken it. */
const TIMEOUT_MS = 15_000;
/** An attempt that is put off a little longer than planned, so that those of one outage do not all come at once. */
const JITTER = 0.2;
/** How long a delivery that was given up can be looked at. */
export const FAILURES_KEPT_MS = 7 * 24 * 3_600_000;

/**
 * The pauses between attempts, in seconds: some three days in all.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#deliverability-and-reliability
 */
export const RETRY_SECONDS: readonly number[] = [
  5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400,
];

/** What the receiver is told of the run, besides the run. `rollback`: it is as if it had never been. */
export type WebhookStatus = RunStatus | "rollback";

/** A delivery in our hands. */
export interface Delivery {
  /** The run's; the same in each attempt. */
  readonly webhook_id: string;
  readonly url: string;
  /** All but when it is sent. */
  readonly body: JsonObject;
  /** This one included. It is also the fence: who comes with an older figure changes nothing. */
  readonly attempts: number;
}

/** The durable record of what is to be delivered. */
export interface WebhookStore {
  /** For one attempt that ends before `until`; null when there is nothing to do, or another is at it. */
  readonly claim: (webhookId: string, now: Date, until: Date) => Promise<Delivery | null>;
  readonly delivered: (delivery: Delivery) => Promise<void>;
  /** Tries again at `dueAt`; null gives it up. */
  readonly failed: (delivery: Delivery, error: string, when: Failure) => Promise<void>;
  /** Some of those that have been due since before. */
  readonly forgotten: (since: Date) => Promise<readonly string[]>;
}

export interface Failure {
  readonly now: Date;
  readonly dueAt: Date | null;
}

/** One attempt to reach the receiver. */
export interface WebhookRequest {
  readonly webhook_id: string;
  readonly url: string;
  readonly body: string;
  readonly sentAt: Date;
  readonly signal: AbortSignal;
}

export interface WebhookSender {
  /**
   * Signs and sends it, to public addresses only unless others are allowed; follows no redirect.
   * @returns the status of the answer
   * @throws RefusedAddress, or why the receiver could not be reached
   */
  readonly send: (request: WebhookRequest) => Promise<number>;
}

/** What a webhook may be. */
export interface WebhookPolicy {
  readonly enabled: boolean;
  readonly requireHttps: boolean;
  /** Also `*.example.com`, for subdomains alone. Undefined for all. */
  readonly allowedDomains: readonly string[] | undefined;
  readonly allowedPorts: readonly number[] | undefined;
  readonly maxUrlLength: number;
  /** Whether the URL names an address to which we send nothing. */
  readonly isRefused: (url: URL) => boolean;
}

/** @throws AppError `invalid_request` that says what is wrong with the URL */
export function checkWebhook(webhook: string, policy: WebhookPolicy): string {
  const problem = problemWith(webhook, policy);
  if (problem !== undefined) throw new AppError("invalid_request", `webhook: ${problem}`);
  return webhook;
}

function problemWith(webhook: string, policy: WebhookPolicy): string | undefined {
  if (!policy.enabled) return "webhooks are turned off on this server";
  if (webhook.startsWith("/"))
    return "a path of this server cannot be called back; give the URL of a receiver";
  if (webhook.length > policy.maxUrlLength) return `longer than ${policy.maxUrlLength} characters`;
  const url = URL.canParse(webhook) ? new URL(webhook) : null;
  if (url === null || !/^https?:$/.test(url.protocol)) return "expected an http or https URL";
  if (url.username !== "" || url.password !== "") return "must not have credentials in its URL";
  return problemWithUrl(url, policy);
}

function problemWithUrl(url: URL, policy: WebhookPolicy): string | undefined {
  const isHttps = url.protocol === "https:";
  if (!isHttps && policy.requireHttps) return "expected an https URL";
  if (policy.allowedDomains?.some((domain) => isOf(url.hostname, domain)) === false)
    return `the domain ${url.hostname} is not among those that webhooks may go to`;
  const port = Number(url.port || (isHttps ? 443 : 80));
  if (policy.allowedPorts?.includes(port) === false)
    return `the port ${port} is not among those that webhooks may go to`;
  return policy.isRefused(url) ? `${url.hostname} is not on the public internet` : undefined;
}

function isOf(hostname: string, domain: string): boolean {
  const wanted = domain.toLowerCase();
  return wanted.startsWith("*.") ? hostname.endsWith(wanted.slice(1)) : hostname === wanted;
}

/** The receiver is where we send nothing; trying again makes no sense. */
export class RefusedAddress extends Error {
  override readonly name = "RefusedAddress";
}

export interface WebhookDeps {
  readonly webhooks: WebhookStore;
  readonly sender: WebhookSender;
  readonly queue: WakeUpQueue;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 to 1. */
  readonly chance: () => number;
  readonly retrySeconds: readonly number[];
}

/** A message has come for a webhook: attempts to deliver it, unless that is not to be done now, which is no error. */
export async function deliverWebhook(
  deps: WebhookDeps,
  webhookId: string,
  { signal, deadline }: Pick<Invocation, "signal" | "deadline">,
): Promise<void> {
  const { webhooks, clock } = deps;
  const now = clock.now();
  const delivery = await webhooks.claim(webhookId, now, new Date(now.getTime() + ATTEMPT_LEASE_MS));
  if (delivery === null) return;
  const remaining = deadline === undefined ? TIMEOUT_MS : deadline.getTime() - now.getTime();
  const timeout = AbortSignal.timeout(Math.max(0, Math.min(TIMEOUT_MS, remaining - RECORD_ROOM_MS)));
  const problem = await attempt(deps, delivery, AbortSignal.any([signal, timeout]));
  if (problem === null) {
    measure("langgraph.webhooks", 1, { "langgraph.status": "delivered" });
    return webhooks.delivered(delivery);
  }
  await putOff(deps, delivery, problem);
}

/** Before the deadline, to write down what became of the attempt. */
const RECORD_ROOM_MS = 2_000;

interface Problem {
  readonly message: string;
  readonly isFinal: boolean;
}

/** Null when the receiver has taken it. */
async function attempt(
  { sender, clock }: WebhookDeps,
  delivery: Delivery,
  signal: AbortSignal,
): Promise<Problem | null> {
  const { webhook_id, url, body } = delivery;
  const sentAt = clock.now();
  const text = JSON.stringify({ ...body, webhook_sent_at: sentAt });
  try {
    const status = await inSpan(
      "POST webhook",
      { kind: "client", attributes: attributesOf(delivery) },
      async (span) => {
        const answered = await sender.send({ webhook_id, url, body: text, sentAt, signal });
        span.set({ "http.response.status_code": answered });
        if (answered >= 400) span.fail(undefined, String(answered));
        return answered;
      },
    );
    if (status >= 200 && status < 300) return null;
    return { message: `The receiver answered ${status}`, isFinal: status === GONE };
  } catch (error) {
    return { message: String(error), isFinal: error instanceof RefusedAddress };
  }
}

/** Without the URL's path and query, which may be what lets callers in. */
function attributesOf({ webhook_id, url, attempts }: Delivery): SpanAttributes {
  const { protocol, hostname, port } = new URL(url);
  return {
    "http.request.method": "POST",
    "server.address": hostname,
    "server.port": Number(port || (protocol === "https:" ? 443 : 80)),
    "langgraph.run_id": webhook_id,
    "langgraph.attempt": attempts,
  };
}

/** By Standard Webhooks, the receiver's way of saying that it wants no more of it. */
const GONE = 410;

async function putOff(deps: WebhookDeps, delivery: Delivery, problem: Problem): Promise<void> {
  const { webhooks, queue, clock, logger, chance, retrySeconds } = deps;
  const now = clock.now();
  const seconds = problem.isFinal ? undefined : retrySeconds[delivery.attempts - 1];
  const fields = { run_id: delivery.webhook_id, attempts: delivery.attempts, reason: problem.message };
  measure("langgraph.webhooks", 1, { "langgraph.status": seconds === undefined ? "given_up" : "put_off" });
  if (seconds === undefined) {
    logger.error(fields, "A webhook was given up");
    return webhooks.failed(delivery, problem.message, { now, dueAt: null });
  }
  logger.warn(fields, "A webhook could not be delivered; it is tried again later");
  const dueAt = new Date(now.getTime() + seconds * 1_000 * (1 + JITTER * chance()));
  await webhooks.failed(delivery, problem.message, { now, dueAt });
  await queue.send({ webhook_id: delivery.webhook_id }, { notBefore: dueAt });
}

/** Wakes workers for the deliveries that were due before. @returns how many it woke for */
export async function sweepWebhooks({ webhooks, queue }: WebhookDeps, since: Date): Promise<number> {
  const forgotten = await webhooks.forgotten(since);
  for (const webhook_id of forgotten) await queue.send({ webhook_id });
  return forgotten.length;
}
