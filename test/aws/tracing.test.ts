import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { startLambda, type Lambda } from "../support/lambda/lambda.ts";
import { httpApiEvent } from "../support/lambda/events.ts";
import { startLangSmith, type LangSmith } from "../support/langsmith.ts";
import { startSqs } from "../support/queues/sqs.ts";

let app: BuiltApp;
let database: TestDatabase;
let langSmith: LangSmith;

beforeEach(async () => {
  [app, database, langSmith] = await Promise.all([
    buildApp(path.join(import.meta.dirname, "fixtures/background.ts")),
    testDatabase(),
    startLangSmith(),
  ]);
});
afterEach(async () => {
  for (const resource of [app, database, langSmith]) await resource[Symbol.asyncDispose]();
});

function start(handler: string, env: Readonly<Record<string, string>> = {}): Promise<Lambda> {
  return startLambda({
    entry: app.entry,
    handler,
    env: {
      DATABASE_URL: database.url,
      FUNCTION_KEY: "key",
      LANGSMITH_TRACING: "true",
      LANGSMITH_API_KEY: "key",
      LANGSMITH_ENDPOINT: langSmith.url,
      ...env,
    },
  });
}

/** Nothing leaves a frozen process: what has not been told by then is told with the next invocation, or never. */
async function expectTraced(lambda: Lambda, output: string): Promise<void> {
  await expect.poll(() => lambda.isFrozen).toBe(true);
  expect(langSmith.told.join("\n")).toContain(`"outputs":{"text":"${output}"}`);
}

const request = (text: string) => ({ method: "POST", body: JSON.stringify({ input: { text } }) });

test.each(["invoke", "stream"])("a run's traces have left before the freeze (%s)", async (route) => {
  await using lambda = await start("http");
  const answer = await fetch(`${lambda.url}/api/graphs/shout/${route}?code=key`, request("traced"));
  expect(await answer.text()).toContain("traced!");
  await expectTraced(lambda, "traced!");
});

test("they have when the answer is buffered", async () => {
  await using lambda = await start("http");
  const { body } = request("buffered");
  const event = httpApiEvent({ rawPath: "/api/graphs/shout/invoke", rawQueryString: "code=key", body });
  event.requestContext.http.method = "POST";
  expect(JSON.parse(await lambda.invoke(event))).toMatchObject({ statusCode: 200 });
  await expectTraced(lambda, "buffered!");
});

test("they have when a worker has executed the run", async () => {
  await using sqs = await startSqs();
  await using http = await start("http", sqs.env);
  await using worker = await start("worker", sqs.env);
  const asked = await fetch(`${http.url}/api/graphs/shout/runs?code=key`, request("worked"));
  expect(asked.status).toBe(202);
  expect(JSON.parse(await worker.invoke(await sqs.receive()))).toEqual({ batchItemFailures: [] });
  await expectTraced(worker, "worked!");
});

test("a LangSmith that is away costs no answer", async () => {
  await langSmith[Symbol.asyncDispose]();
  await using lambda = await start("http");
  const answer = await fetch(`${lambda.url}/api/graphs/shout/invoke?code=key`, request("alone"));
  expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining("alone!")]);
  await expect.poll(() => lambda.isFrozen, { timeout: 20_000 }).toBe(true);
});
