/** What traces and metrics tell of an execution of a run. */

import type { Clock } from "../clock.ts";
import type { Executed } from "../core/execution.ts";
import { runAttributes } from "../core/observed.ts";
import type { ClaimedRun } from "../core/ports.ts";
import { inSpan } from "../telemetry.ts";
import { measure } from "../telemetry-metrics.ts";

/** A span around one execution, linked to the request that asked for the run if that is in another trace. */
export async function observedRun(run: ClaimedRun, execute: () => Promise<Executed>): Promise<Executed> {
  const { graph_id, attempt, claims, kwargs } = run;
  const { traceparent } = kwargs;
  const options = {
    attributes: { ...runAttributes(run), "langgraph.attempt": attempt, "langgraph.claims": claims },
    links: traceparent === undefined ? [] : [{ traceparent }],
  };
  return inSpan(`run ${graph_id}`, options, async (span) => {
    const executed = await execute();
    if (executed.kind === "failed") span.fail(executed.error);
    span.set({ "langgraph.status": statusOf(executed) });
    return executed;
  });
}

function statusOf(executed: Executed): string {
  switch (executed.kind) {
    case "ended":
      return executed.outcome.status;
    case "failed":
      return "error";
    case "cancelled":
      return "cancelled";
    case "elsewhere":
      return executed.isHandedOver === true ? "handed_over" : "lost";
  }
}

/** To be told of each event of the graph; measures the first of the run. */
export function watchFirstEvent(
  clock: Clock,
  { claims, graph_id, started_at, waited_s }: ClaimedRun,
): () => void {
  let isFirst = claims === 1;
  return () => {
    if (!isFirst) return;
    isFirst = false;
    const seconds = waited_s + Math.max(0, clock.now().getTime() - started_at.getTime()) / 1_000;
    measure("langgraph.run.time_to_first_event", seconds, { "langgraph.graph": graph_id });
  };
}
