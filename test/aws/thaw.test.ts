/** What a sandbox finds when it is thawed: its connections to the database may have died without a word. */

import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { startLambda, type Lambda } from "../support/lambda/lambda.ts";
import { proxyTo, type Proxy } from "../support/proxy.ts";

let app: BuiltApp;
let database: TestDatabase;
let proxy: Proxy;
let lambda: Lambda;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/background.ts"));
});
afterAll(() => app[Symbol.asyncDispose]());

beforeEach(async () => {
  database = await testDatabase();
  proxy = await proxyTo(database.url);
  lambda = await start(app);
});
afterEach(async () => {
  for (const resource of [lambda, proxy, database]) await resource[Symbol.asyncDispose]();
});

function start({ entry }: BuiltApp): Promise<Lambda> {
  const env = { DATABASE_URL: proxy.url, FUNCTION_KEY: "key" };
  return startLambda({ entry, handler: "http", env, timeoutMs: 600_000, killAfterMs: 60_000 });
}

async function answer(route: string, from = lambda): Promise<[number, string]> {
  const response = await fetch(`${from.url}/api/graphs/shout/${route}?code=key`, {
    method: "POST",
    body: JSON.stringify({ input: { text: "a" }, config: { configurable: { thread_id: "t" } } }),
  });
  return [response.status, await response.text()];
}

test.each(["invoke", "stream"])(
  "connections that were closed while it was frozen cost the next request nothing (%s)",
  async (route) => {
    expect((await answer(route))[0]).toBe(200);
    await expect.poll(() => lambda.isFrozen).toBe(true);
    await proxy.cut();
    await proxy.mend();
    expect(await answer(route)).toEqual([200, expect.stringContaining("a!")]);
    expect(lambda.inits).toBe(1);
  },
);

test("connections that a gateway has forgotten meanwhile, and nobody was told, are replaced before they are used", async () => {
  await using longAsleep = await buildApp(path.join(import.meta.dirname, "fixtures/thaw.ts"));
  await using lambda = await start(longAsleep);
  expect((await answer("invoke", lambda))[0]).toBe(200);
  await expect.poll(() => lambda.isFrozen).toBe(true);
  proxy.forget();
  expect(await answer("invoke", lambda)).toEqual([200, expect.stringContaining("a!")]);
  expect(lambda.inits).toBe(1);
});

test("a server that closes all connections and comes back is found again", async () => {
  expect((await answer("invoke"))[0]).toBe(200);
  await expect.poll(() => lambda.isFrozen).toBe(true);
  const others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
  await database.query(`select pg_terminate_backend(pid) ${others}`);
  await expect.poll(async () => database.query(`select pid ${others}`)).toEqual([]);
  expect(await answer("invoke")).toEqual([200, expect.stringContaining("a!")]);
  expect(lambda.inits).toBe(1);
});
