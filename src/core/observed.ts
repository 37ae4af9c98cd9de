/** Ports that tell by traces and metrics what they are asked for. */

import type { Clock } from "../clock.ts";
import { activeTrace, errorType, inSpan, type SpanAttributes } from "../telemetry.ts";
import { measure } from "../telemetry-metrics.ts";
import type { ClaimedRun, ClaimStore, RunStore } from "./ports.ts";
import type { WakeUp, WakeUpQueue } from "./wake-ups.ts";

/** What spans say of a run. */
export function runAttributes({
  run_id,
  thread_id,
  graph_id,
  assistant_id,
}: Pick<ClaimedRun, "run_id" | "thread_id" | "graph_id" | "assistant_id">): SpanAttributes {
  return {
    "langgraph.run_id": run_id,
    "langgraph.thread_id": thread_id,
    "langgraph.graph": graph_id,
    "langgraph.assistant_id": assistant_id,
  };
}

export function observedRuns(runs: RunStore): RunStore {
  return {
    ...runs,
    admit: async (run, now, claim) =>
      inSpan("admit run", { attributes: runAttributes(run) }, async (span) => {
        const admission = await runs.admit(run, now, claim);
        span.set({ "langgraph.claimed": admission.claim !== null });
        return admission;
      }),
  };
}

export function observedClaims(claims: ClaimStore, clock: Clock): ClaimStore {
  const ended = ({ graph_id, started_at }: ClaimedRun, status: string, now: Date): void => {
    const attributes = { "langgraph.graph": graph_id, "langgraph.status": status };
    measure("langgraph.runs", 1, attributes);
    measure("langgraph.run.duration", Math.max(0, now.getTime() - started_at.getTime()) / 1_000, attributes);
  };
  return {
    ...claims,
    claim: async (lease, term) =>
      inSpan("claim run", { attributes: { "langgraph.run_id": lease.run_id } }, async (span) => {
        const claimed = await claims.claim(lease, term);
        span.set({
          "langgraph.claimed": claimed !== null,
          ...(claimed === null ? {} : { ...runAttributes(claimed), "langgraph.attempt": claimed.attempt }),
        });
        // One whose executor has vanished did not wait all the time since it was due.
        if (claimed?.attempt === 1)
          measure("langgraph.run.wait", claimed.waited_s, { "langgraph.graph": claimed.graph_id });
        return claimed;
      }),
    finish: async (run, end, now, events) => {
      const finished = await claims.finish(run, end, now, events);
      if (finished.held) ended(run, end.status, clock.now());
      return finished;
    },
    rollback: async (run, now, events) => {
      const undone = await claims.rollback(run, now, events);
      if (undone.held) ended(run, "rollback", clock.now());
      return undone;
    },
    release: async (run, now, rest) => {
      const released = await claims.release(run, now, rest);
      if (released.held) measure("langgraph.run.handovers", 1, { "langgraph.graph": run.graph_id });
      return released;
    },
    recover: async (lease_id, term, rules) => {
      const recovered = await claims.recover(lease_id, term, rules);
      const vanished = recovered.waiting.length + recovered.exhausted.length;
      if (vanished > 0) measure("langgraph.run.recoveries", vanished);
      return recovered;
    },
  };
}

/** Its messages carry the trace on. Those that only ask to look at what is due are no part of one, or it would never end. */
export function observedQueue(queue: WakeUpQueue): WakeUpQueue {
  const send: WakeUpQueue["send"] = async (wakeUp, options) => {
    const system = { "messaging.system": queue.names?.().system ?? UNKNOWN };
    try {
      await queue.send(wakeUp, options);
      measure("langgraph.queue.messages", 1, system);
    } catch (error) {
      measure("langgraph.queue.messages", 1, { ...system, "error.type": errorType(error) });
      throw error;
    }
  };
  return {
    ...queue,
    send: async (wakeUp, options) => {
      if ("tick" in wakeUp) return send(wakeUp, options);
      const { attributes, destination } = messagingAttributes(queue, "send", wakeUp);
      return inSpan(`send ${destination}`, { kind: "producer", attributes }, async () =>
        send(wakeUp, { ...options, traceparent: activeTrace()?.traceparent ?? options?.traceparent }),
      );
    },
  };
}

const UNKNOWN = "other";

/** @see https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/ */
export function messagingAttributes(
  queue: WakeUpQueue,
  operation: "send" | "process",
  wakeUp: WakeUp,
): { readonly attributes: SpanAttributes; readonly destination: string } {
  const { system, destination } = queue.names?.() ?? { system: UNKNOWN, destination: UNKNOWN };
  const attributes = {
    "messaging.system": system,
    "messaging.operation.type": operation,
    "messaging.operation.name": operation,
    "messaging.destination.name": destination,
    ...("run_id" in wakeUp ? { "langgraph.run_id": wakeUp.run_id } : {}),
    ...("webhook_id" in wakeUp ? { "langgraph.run_id": wakeUp.webhook_id } : {}),
  };
  return { attributes, destination };
}
