/** The function app on Azure Functions: its HTTP functions, its worker behind a storage queue, and its timer. */

import { startAzureHost, type AzureHostOptions } from "../azure-host/host.ts";
import type { Azurite } from "../queues/azurite.ts";
import { openings, triggering, type Deployment, type DeploymentOptions } from "./deployment.ts";

const QUEUE = "langgraph-runs";

export interface AzureDeploymentOptions extends DeploymentOptions {
  readonly azurite: Azurite;
  readonly keys: AzureHostOptions["keys"];
  readonly hostJson?: AzureHostOptions["hostJson"];
}

export async function deployOnAzure({
  entry,
  env,
  node,
  azurite,
  keys,
  hostJson,
}: AzureDeploymentOptions): Promise<Deployment> {
  const { keep, close } = openings();
  const host = await keep(
    startAzureHost({
      entry,
      env: { AzureWebJobsStorage: azurite.connectionString, ...env },
      ...(node === undefined ? {} : { node }),
      ...(keys === undefined ? {} : { keys }),
      ...(hostJson === undefined ? {} : { hostJson }),
    }),
  );
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
  return {
    url: host.url,
    failures: () => failures,
    output: () => host.output,
    [Symbol.asyncDispose]: close,
  };
}
