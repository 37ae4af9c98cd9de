/** What a provider of OpenTelemetry does wrong is not to be felt by those whom the app serves. */

import { metrics, type Meter, type Span, trace } from "@opentelemetry/api";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { afterEach, expect, test, vi } from "vitest";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";
import { recordTelemetry } from "../support/telemetry.ts";

afterEach(() => {
  trace.disable();
  metrics.disable();
});

function fails(): never {
  throw new Error("The provider is broken");
}

/** Says where it is, and fails at all else. */
const brokenSpan: Span = {
  spanContext: () => ({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags: 1,
  }),
  setAttribute: fails,
  setAttributes: fails,
  addEvent: fails,
  addLink: fails,
  addLinks: fails,
  setStatus: fails,
  updateName: fails,
  end: fails,
  isRecording: () => true,
  recordException: fails,
};
const unable = { forceFlush: async () => fails(), shutdown: async () => undefined };

function brokenMeter(instrument: () => { readonly add: () => never; readonly record: () => never }): Meter {
  return {
    createCounter: instrument,
    createHistogram: instrument,
    createGauge: instrument,
    createUpDownCounter: fails,
    createObservableGauge: fails,
    createObservableCounter: fails,
    createObservableUpDownCounter: fails,
    addBatchObservableCallback: fails,
    removeBatchObservableCallback: fails,
  };
}

test.each<[string, () => unknown]>([
  ["has no tracers", () => trace.setGlobalTracerProvider({ getTracer: fails })],
  [
    "begins no spans",
    () => trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan: fails, startActiveSpan: fails }) }),
  ],
  [
    "has broken spans",
    () =>
      trace.setGlobalTracerProvider({
        getTracer: () => ({ startSpan: () => brokenSpan, startActiveSpan: fails }),
      }),
  ],
  [
    "has a broken processor",
    () =>
      trace.setGlobalTracerProvider(
        new BasicTracerProvider({ spanProcessors: [{ onStart: () => undefined, onEnd: fails, ...unable }] }),
      ),
  ],
  ["has no meters", () => metrics.setGlobalMeterProvider({ getMeter: fails })],
  ["has no instruments", () => metrics.setGlobalMeterProvider({ getMeter: () => brokenMeter(fails) })],
  [
    "has broken instruments",
    () =>
      metrics.setGlobalMeterProvider({ getMeter: () => brokenMeter(() => ({ add: fails, record: fails })) }),
  ],
])("a run ends as it would, with a provider that %s", async (_, register) => {
  register();
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const body = { assistant_id: "shout", input: { text: "heard" }, if_not_exists: "create" };
  const answer = await server.post("/threads/t/runs/wait", body);
  expect([answer.status, answer.body]).toEqual([200, { text: "heard!" }]);
  const state = await server.get("/threads/t");
  expect(state.body).toMatchObject({ status: "idle" });
});

test("callers do not say more of themselves than fits", async () => {
  await using recorded = recordTelemetry();
  await using server = await startServer({ graphs: [] });
  await server.get("/ok", { headers: { "user-agent": "a".repeat(4_000) } });
  await vi.waitFor(() => recorded.span("GET /api/ok"), { timeout: 15_000 });
  expect(recorded.span("GET /api/ok").attributes["user_agent.original"]).toBe("a".repeat(256));
});
