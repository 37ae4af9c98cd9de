/** The function app on Azure Functions: its HTTP functions, its worker behind a storage queue, and its timer. */

import { fileURLToPath } from "node:url";
import { startAzureHost } from "../../support/azure-host/host.ts";
import { buildApp } from "../../support/build.ts";
import { testDatabase } from "../../support/database.ts";
import { startAzurite } from "../../support/queues/azurite.ts";
import { openings, triggering, type ConformanceHost } from "./host.ts";

const ENTRY = fileURLToPath(new URL("../../azure/fixtures/conformance.ts", import.meta.url));
const QUEUE = "langgraph-runs";

export async function startOnAzure(): Promise<ConformanceHost> {
  const { keep, close } = openings();
  const { entry } = await keep(buildApp(ENTRY));
  const database = await keep(testDatabase());
  const azurite = await keep(startAzurite());
  const env = {
    DATABASE_URL: database.url,
    AzureWebJobsStorage: azurite.connectionString,
    LOG_LEVEL: "silent",
  };
  const host = await keep(startAzureHost({ entry, env, keys: false }));
  const { failures } = await keep(
    triggering({
      receive: async () =>
        (await azurite.receive(QUEUE)).map(({ text, dequeueCount, remove }) => async () => {
          await host.invokeQueue("run_worker", text, dequeueCount);
          await remove();
        }),
      tick: async () => host.invokeTimer("tick"),
    }),
  );
  return { url: host.url, failures: () => failures, [Symbol.asyncDispose]: close };
}
