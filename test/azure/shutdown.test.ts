import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BuiltApp, buildApp } from "../support/build.ts";
import { startAzureHost } from "../support/azure-host/host.ts";

let app: BuiltApp;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/edges.ts"));
});
afterAll(() => app[Symbol.asyncDispose]());

test("a shutdown tells running invocations to stop and waits until their answers are out", async () => {
  await using host = await startAzureHost({ entry: app.entry, keys: false });
  const responses = await Promise.all([fetch(`${host.url}/farewell`), fetch(`${host.url}/farewell`)]);
  expect(await host.terminate()).toBe("exited");
  expect(await Promise.all(responses.map((response) => response.text()))).toEqual([
    "HostStopping",
    "HostStopping",
  ]);
});

test("a shutdown disposes of the app", async () => {
  await using host = await startAzureHost({ entry: app.entry, keys: false });
  await (await fetch(`${host.url}/echo`)).text();
  expect(await host.terminate()).toBe("exited");
  expect(host.output).toContain("disposed");
});

test("a crash of the worker breaks its responses off", async () => {
  await using host = await startAzureHost({ entry: app.entry, keys: false });
  const response = await fetch(`${host.url}/waits`);
  await host.kill();
  await expect(response.text()).rejects.toThrow();
  expect((await fetch(`${host.url}/health`)).status).toBe(502);
});
