/** Telemetry that the environment asks for, in a worker process that lives on between calls, and ends at some time. */

import path from "node:path";
import { expect, test } from "vitest";
import { buildApp } from "../support/build.ts";
import { startAzureHost } from "../support/azure-host/host.ts";
import { startCollector } from "../support/collector.ts";
import { testDatabase } from "../support/database.ts";
import { startAzurite } from "../support/queues/azurite.ts";

test("a worker process sends what it has told before it ends, in the host's traces", async () => {
  await using app = await buildApp(path.join(import.meta.dirname, "fixtures/background.ts"));
  await using azurite = await startAzurite();
  await using database = await testDatabase();
  await using collector = await startCollector();
  await using host = await startAzureHost({
    entry: app.entry,
    env: {
      DATABASE_URL: database.url,
      AzureWebJobsStorage: azurite.connectionString,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: "600000", // so that nothing leaves by the way
      WEBSITE_SITE_NAME: "agents",
    },
    keys: false,
  });
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const answer = await fetch(`${host.url}/graphs/shout/runs`, {
    method: "POST",
    headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    body: JSON.stringify({ input: { text: "a" } }),
  });
  expect(answer.status).toBe(202);
  for (const { text, dequeueCount } of await azurite.receive("langgraph-runs"))
    await host.invokeQueue("run_worker", text, dequeueCount);
  expect(collector.spans()).toEqual([]);
  expect(await host.terminate()).toBe("exited");
  expect(collector.spans()).toEqual(
    expect.arrayContaining([
      "POST /api/graphs/shout/runs",
      "send langgraph-runs",
      "process langgraph-runs",
      "node shout",
    ]),
  );
  expect(collector.metrics()).toContain("langgraph.run.wait");
  expect([...collector.traces()]).toEqual([traceId]);
  expect(collector.resources()[0]).toMatchObject({ "service.name": "agents", "cloud.provider": "azure" });
});
