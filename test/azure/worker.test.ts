import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltApp, buildApp } from "../support/build.ts";
import { startAzureHost } from "../support/azure-host/host.ts";

let app: BuiltApp;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/edges.ts"));
});
afterAll(() => app[Symbol.asyncDispose]());

const run = (number: number) => ({ run_id: `00000000-0000-4000-8000-00000000000${number}` });

test.each([
  ["as host.json says", {}, 600_000],
  ["as is set", { FUNCTION_TIMEOUT_SECONDS: "90" }, 90_000],
])("every door knows its deadline, %s", async (_, env, limit) => {
  await using host = await startAzureHost({ entry: app.entry, keys: false, env });
  await host.invokeQueue("run_worker", run(0));
  await host.invokeTimer("tick");
  const printed = async (key: string): Promise<Record<string, number>> => {
    const line = () =>
      host.output.flatMap((text) => text.split("\n")).find((it) => it.startsWith(`{"${key}"`));
    await expect.poll(line).toBeDefined();
    return JSON.parse(line() ?? "");
  };
  const remaining = [
    (await printed("work"))["remaining"],
    (await printed("tick"))["tick"],
    await (await fetch(`${host.url}/deadline`)).json(),
  ];
  for (const ms of remaining) {
    expect(ms).toBeLessThanOrEqual(limit);
    expect(ms).toBeGreaterThan(limit - 60_000);
  }
});

test("a shutdown tells a worker to stop, and waits for it", async () => {
  await using host = await startAzureHost({ entry: app.entry, keys: false });
  const working = host.invokeQueue("run_worker", run(1));
  await expect.poll(() => host.output.join("\n")).toContain(run(1).run_id);
  expect(await host.terminate()).toBe("exited");
  await Promise.allSettled([working]); // what it told the host may not have got through: then the message comes again
  expect(host.output.join("\n")).toContain("worked HostStopping");
});

test.each([
  ["RUN_QUEUE", "Runs"],
  ["RUN_QUEUE", "a--b"],
  ["RUN_QUEUE", "a"],
  ["TICK_SCHEDULE", "* * * * *"],
  ["FUNCTION_TIMEOUT_SECONDS", "0"],
  ["FUNCTION_TIMEOUT_SECONDS", "00:10:00"],
  ["AzureWebJobsStorage__queueServiceUri", "account"],
])("the wrong setting %s=%s is refused at the start, by its name", async (name, value) => {
  const env = { [name]: value };
  await expect(startAzureHost({ entry: app.entry, env })).rejects.toThrow(`${name}: must `);
});
