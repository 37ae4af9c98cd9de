/** The host's own trace of an invocation, which Application Insights shows as a request. */
import type { InvocationContext } from "@azure/functions";
import type { Invocation } from "../core/model.ts";

export function hostsTrace({ traceContext }: InvocationContext): Pick<Invocation, "traceContext"> {
  const { traceParent, traceState } = traceContext ?? {};
  return traceParent
    ? { traceContext: { traceparent: traceParent, tracestate: traceState || undefined } }
    : {};
}
