/** A layer of Lambda, or an agent that is loaded first, brings a copy of OpenTelemetry's API of its own. */

import { cp, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import type * as Api from "@opentelemetry/api";
import { BasicTracerProvider, BatchSpanProcessor, InMemorySpanExporter } from "@opentelemetry/sdk-trace-base";
import { LangGraphApp } from "langgraph-functions";
import { expect, test } from "vitest";

test("a provider that was registered through another copy of the API gets our spans, and is flushed", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "other-api-"));
  const source = path.resolve(createRequire(import.meta.url).resolve("@opentelemetry/api"), "../../..");
  await cp(source, folder, { recursive: true });
  const other: typeof Api = createRequire(import.meta.url)(folder);
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    spanProcessors: [new BatchSpanProcessor(exporter, { scheduledDelayMillis: 3_600_000 })],
  });
  other.trace.setGlobalTracerProvider(provider);
  try {
    const app = new LangGraphApp({ authLevel: "anonymous" });
    const database = { url: "postgres://nobody@127.0.0.1:1/none", poolSize: 1, migrate: false };
    const doors = app.doors({ settings: { database, logLevel: "silent" } });
    expect((await app.fetch(new Request("http://here/api/ok"))).status).toBe(200);
    expect(exporter.getFinishedSpans()).toEqual([]);
    await doors.flush(new AbortController().signal);
    expect(exporter.getFinishedSpans().map(({ name }) => name)).toEqual(["GET /api/ok"]);
  } finally {
    other.trace.disable();
    await provider.shutdown();
    await rm(folder, { recursive: true });
  }
});
