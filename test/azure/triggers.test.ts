import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltApp, buildApp } from "../support/build.ts";
import { startAzureHost } from "../support/azure-host/host.ts";

let app: BuiltApp;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/triggers.ts"));
});
afterAll(() => app[Symbol.asyncDispose]());

test("a queue message reaches its function parsed, with its dequeue count", async () => {
  await using host = await startAzureHost({ entry: app.entry });
  const result = await host.invokeQueue("on_message", { run_id: "r1" }, 3);
  expect(result).toEqual({ json: JSON.stringify({ message: { run_id: "r1" }, dequeueCount: 3 }) });
});

test("a failed invocation rejects with the app's error", async () => {
  await using host = await startAzureHost({ entry: app.entry });
  await expect(host.invokeQueue("on_message", "poison")).rejects.toThrow("not this one");
});

test("a timer fires with its schedule", async () => {
  await using host = await startAzureHost({ entry: app.entry });
  expect(await host.invokeTimer("on_tick")).toMatchObject({
    json: expect.stringContaining('"isPastDue":false'),
  });
});

test("an app that fails to start says why", async () => {
  await expect(startAzureHost({ entry: path.join(app.entry, "../missing.mjs") })).rejects.toThrow(
    "Cannot find module",
  );
});
