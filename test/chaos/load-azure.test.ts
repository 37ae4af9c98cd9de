/** As `load.test.ts`, through Azure Storage's queue: the test plays the Functions host of four workers. */

import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import { startAzureHost, type AzureHost } from "../support/azure-host/host.ts";
import { buildApp } from "../support/build.ts";
import { expectEachOnceAndInOrder, patience, sendAll } from "../support/load.ts";
import { diaryDatabase, forget, unsettled } from "../support/processes.ts";
import { startAzurite, type Azurite } from "../support/queues/azurite.ts";

const QUEUE = "langgraph-runs";
const HOSTS = 4;
/** How long a host waits before it looks at an empty queue again. */
const IDLE_MS = 100;

async function startHosts(
  entry: string,
  env: Readonly<Record<string, string>>,
): Promise<readonly AzureHost[] & AsyncDisposable> {
  const hosts = await Promise.all(
    Array.from({ length: HOSTS }, async () => startAzureHost({ entry, env, keys: false })),
  );
  return Object.assign(hosts, {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(hosts.map(async (host) => host[Symbol.asyncDispose]()));
    },
  });
}

/** Hands over what comes, host by host, until it is disposed of; as a bad queue, loses one in five and doubles the others. */
function delivering(azurite: Azurite, hosts: readonly AzureHost[], lossy: boolean): AsyncDisposable {
  const over = new AbortController();
  let messages = 0;
  const deliverTo = async (index: number): Promise<void> => {
    const [host, other] = [hosts[index], hosts[(index + 1) % hosts.length]];
    while (!over.signal.aborted) {
      const received = await azurite.receive(QUEUE);
      if (received.length === 0) await delay(IDLE_MS);
      if (received.length === 0 && index === 0) await host?.invokeTimer("tick");
      await Promise.all(
        received.map(async ({ text, dequeueCount, remove }) => {
          messages += 1;
          const times = !lossy ? [host] : messages % 5 === 0 ? [] : [host, other];
          await Promise.all(times.map(async (to) => to?.invokeQueue("run_worker", text, dequeueCount)));
          await remove();
        }),
      );
    }
  };
  const all = hosts.map(async (_, index) => deliverTo(index));
  return {
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await Promise.all(all);
    },
  };
}

test.each([
  { queue: "Azure's queue", lossy: false },
  {
    queue: "an Azure queue that is full of rubbish, loses one message in five and doubles the others",
    lossy: true,
  },
])(
  "four workers behind $queue execute 500 runs on 50 threads, each once and in order",
  { timeout: patience.timeout },
  async ({ lossy }) => {
    await using app = await buildApp(path.join(import.meta.dirname, "../azure/fixtures/load.ts"));
    await using azurite = await startAzurite();
    await using database = await diaryDatabase();
    const env = {
      DATABASE_URL: database.url,
      AzureWebJobsStorage: azurite.connectionString,
      LOG_LEVEL: "silent",
    };
    await using hosts = await startHosts(app.entry, env);
    {
      await using _delivering = delivering(azurite, hosts, lossy);
      const send = async (body: object, turn: number): Promise<number> => {
        const url = `${hosts[turn % HOSTS]?.url}/graphs/quick/runs`;
        const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
        await answer.text();
        if (lossy) await azurite.send(QUEUE, ["rubbish", "{}", '{"run_id":7}', ""][turn % 4] ?? "");
        return answer.status;
      };
      await sendAll(20, send);
      await vi.waitFor(async () => {
        if (lossy) await forget(database.query);
        expect(await unsettled(database.query)).toEqual([]);
      }, patience);
    }
    await expectEachOnceAndInOrder(database, HOSTS);
  },
);
