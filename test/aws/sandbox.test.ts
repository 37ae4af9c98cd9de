import http from "node:http";
import { once } from "node:events";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { type Lambda, startLambda } from "../support/lambda/lambda.ts";

let app: BuiltApp;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/edges.ts"));
});
afterAll(() => app[Symbol.asyncDispose]());

/** The app hears of the deadline after 100 ms; only this machine's slowness could use up the rest. */
const nearDeadline = { timeoutMs: 1_600, killAfterMs: 30_000 };

/** For what never ends; what does end has time enough, on a slow machine, too. */
const impatient = { timeoutMs: 2_000 };

const start = (options: { timeoutMs?: number; killAfterMs?: number; handler?: string } = {}) =>
  startLambda({ entry: app.entry, handler: "http", ...options });

const get = (lambda: Lambda, route: string) => fetch(`${lambda.url}/api/${route}`);

async function witness(lambda: Lambda): Promise<{ isCut: boolean }> {
  const line = lambda.output.findLast((line) => line.includes("witness "));
  const { port } = JSON.parse(line?.split("witness ")[1] ?? "{}");
  return (await fetch(`http://127.0.0.1:${port}/`)).json();
}

test("a sandbox is frozen between its invocations and serves the next one", async () => {
  await using lambda = await start();
  const boot = await (await get(lambda, "boot")).text();
  await expect.poll(() => lambda.isFrozen).toBe(true);
  expect(await (await get(lambda, "boot")).text()).toBe(boot);
  expect(lambda.inits).toBe(1);
});

test("an app that keeps a socket open has done with a request when it is answered", async () => {
  await using lambda = await start(impatient);
  expect((await get(lambda, "boot")).status).toBe(200); // it has a server, the witness
  await expect.poll(() => lambda.reports).toMatchObject([{ status: "success" }]);
});

test("an app hears of the deadline before it comes", async () => {
  await using lambda = await start(nearDeadline);
  const response = await get(lambda, "deadline");
  const { remaining, ...told } = await response.json();
  expect(told).toEqual({
    name: "AppError",
    code: "unavailable",
    message: "The time limit of the function is reached",
  });
  expect(remaining).toBeGreaterThan(0);
  expect(remaining).toBeLessThanOrEqual(nearDeadline.timeoutMs);
});

test("a stream that ends at the deadline's signal arrives whole", async () => {
  await using lambda = await start(nearDeadline);
  expect(await (await get(lambda, "farewell")).text()).toBe("hello goodbye");
});

test("near the deadline a client that does not read is no longer waited for", async () => {
  await using lambda = await start(nearDeadline);
  const boot = await (await get(lambda, "boot")).text();
  const [response] = await once(http.get(`${lambda.url}/api/endless-flood`), "response");
  await expect.poll(() => witness(lambda)).toMatchObject({ isCut: true });
  await expect(response.toArray()).rejects.toThrow("aborted");
  expect(await (await get(lambda, "boot")).text()).toBe(boot);
});

test("nor is it after the last of the body", async () => {
  await using lambda = await start(nearDeadline);
  const boot = await (await get(lambda, "boot")).text();
  const [response] = await once(http.get(`${lambda.url}/api/flood`), "response");
  await expect
    .poll(() => lambda.output.join("\n"), { timeout: 10_000 })
    .toContain("The time limit of the function is reached");
  await expect(response.toArray()).rejects.toThrow("aborted");
  expect(await (await get(lambda, "boot")).text()).toBe(boot);
});

test("a door that does not end in time costs its sandbox", async () => {
  await using lambda = await start(impatient);
  expect((await get(lambda, "hangs")).status).toBe(502);
  expect((await get(lambda, "boot")).status).toBe(200);
  expect(lambda.inits).toBe(2);
  expect(lambda.reports[0]).toMatchObject({ status: "timeout", error: { errorType: "Sandbox.Timedout" } });
});

test("a stream that does not end in time is broken off", async () => {
  await using lambda = await start(impatient);
  const response = await get(lambda, "pieces");
  await expect(response.text()).rejects.toThrow();
});

test("a crash of the process breaks its response off, and the next request gets a new process", async () => {
  await using lambda = await start();
  expect((await get(lambda, "exits")).status).toBe(502);
  expect((await get(lambda, "boot")).status).toBe(200);
  expect(lambda.inits).toBe(2);
});

test("requests at the same time are served by sandboxes of their own", async () => {
  await using lambda = await start();
  await get(lambda, "pieces");
  expect((await get(lambda, "boot")).status).toBe(200);
  expect(lambda.inits).toBe(2);
});

test("a handler that the entry does not export is an error at the start", async () => {
  await using lambda = await start({ handler: "nothing" });
  expect((await get(lambda, "boot")).status).toBe(502);
  expect(lambda.output.join("\n")).toContain("Runtime.HandlerNotFound");
});
