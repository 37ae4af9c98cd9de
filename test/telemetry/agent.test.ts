/** Variables that an agent has been started with, and has done: they may have values that we do not know. */

import { metrics, trace } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base";
import { LangGraphApp } from "langgraph-functions";
import { afterEach, expect, test, vi } from "vitest";

afterEach(() => {
  vi.unstubAllEnvs();
  trace.disable();
  metrics.disable();
});

/** The errors that an app logs which is asked for the first time, with a collector that nobody answers for. */
async function errorsOf(variables: Readonly<Record<string, string>>): Promise<readonly string[]> {
  vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  const errors: string[] = [];
  const logger = {
    info: () => undefined,
    warn: () => undefined,
    error: ({ err }: { readonly err?: unknown }) => void errors.push(String(err)),
  };
  const app = new LangGraphApp({ authLevel: "anonymous", logger });
  const database = { url: "postgres://nobody@127.0.0.1:1/none", poolSize: 1, migrate: false };
  app.doors({ settings: { database, logLevel: "error" } });
  expect((await app.fetch(new Request("http://here/api/ok"))).status).toBe(200);
  return errors;
}

test("where an agent has started both traces and metrics, its variables are not ours to judge", async () => {
  trace.setGlobalTracerProvider(new BasicTracerProvider());
  metrics.setGlobalMeterProvider(new MeterProvider());
  const variables = { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc", OTEL_TRACES_EXPORTER: "console,otlp" };
  expect(await errorsOf(variables)).toEqual([]);
});

test("where it has started the traces alone, ours are those of metrics", async () => {
  trace.setGlobalTracerProvider(new BasicTracerProvider());
  const theirs = { OTEL_TRACES_EXPORTER: "xray", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: "grpc" };
  expect(await errorsOf({ ...theirs, OTEL_METRICS_EXPORTER: "none" })).toEqual([]);
  expect(await errorsOf({ ...theirs, OTEL_METRICS_EXPORTER: "prometheus" })).toEqual([
    expect.stringContaining("OTEL_METRICS_EXPORTER: must be one of otlp, none"),
  ]);
});

test("where it has started the metrics alone, ours are those of traces", async () => {
  metrics.setGlobalMeterProvider(new MeterProvider());
  const theirs = { OTEL_METRICS_EXPORTER: "prometheus", OTEL_METRIC_EXPORT_INTERVAL: "1" };
  expect(await errorsOf({ ...theirs, OTEL_TRACES_EXPORTER: "none" })).toEqual([]);
  expect(await errorsOf({ ...theirs, OTEL_TRACES_EXPORTER: "xray" })).toEqual([
    expect.stringContaining("OTEL_TRACES_EXPORTER: must be one of otlp, none"),
  ]);
});
