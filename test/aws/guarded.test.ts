import path from "node:path";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openKeyRing } from "../../src/api-keys.ts";
import { readSettings } from "../../src/settings.ts";
import { buildApp, type BuiltApp } from "../support/build.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { startLambda, type Lambda } from "../support/lambda/lambda.ts";

const JWT_SECRET = "a secret of more than thirty-two bytes";

let app: BuiltApp;
let database: TestDatabase;

beforeAll(async () => {
  app = await buildApp(path.join(import.meta.dirname, "fixtures/guarded.ts"));
  database = await testDatabase();
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});

function start(env: Readonly<Record<string, string>>): Promise<Lambda> {
  return startLambda({ entry: app.entry, handler: "http", env: { DATABASE_URL: database.url, ...env } });
}

async function token(claims: object): Promise<string> {
  const signed = new SignJWT({ iss: "test", aud: "app", ...claims }).setProtectedHeader({ alg: "HS256" });
  return signed.setExpirationTime("1h").sign(new TextEncoder().encode(JWT_SECRET));
}

/** The status of a list of threads, and of an invoked graph. */
async function statuses({ url }: Lambda, headers: Readonly<Record<string, string>>) {
  const search = { method: "POST", headers, body: "{}" };
  const invoke = { method: "POST", headers, body: JSON.stringify({ input: { text: "a" } }) };
  const answers = await Promise.all([
    fetch(`${url}/api/threads/search`, search),
    fetch(`${url}/api/graphs/shout/invoke`, invoke),
  ]);
  return answers.map(({ status }) => status);
}

const all = [200, 200];
const none = [401, 401];

test("with jwt, callers bring a token of the issuer's", async () => {
  await using lambda = await start({ AUTH: "jwt", JWT_SECRET });
  const bearing = async (claims: object) => ({ authorization: `Bearer ${await token(claims)}` });
  expect(await statuses(lambda, await bearing({ sub: "ada" }))).toEqual(all);
  expect(await statuses(lambda, await bearing({ sub: "ada", aud: "another" }))).toEqual(none);
  expect(await statuses(lambda, {})).toEqual(none);
});

test("with apiKeys, callers show a key that was made for them", async () => {
  await using ring = openKeyRing(readSettings({ DATABASE_URL: database.url }));
  const { key } = await ring.create({ identity: "ci" });
  await using lambda = await start({ AUTH: "apiKeys" });
  expect(await statuses(lambda, { "x-api-key": key })).toEqual(all);
  expect(await statuses(lambda, { "x-api-key": `${key}x` })).toEqual(none);
  expect(await statuses(lambda, {})).toEqual(none);
});

test("with an Auth object, it decides who they are and what they see", async () => {
  await using lambda = await start({ AUTH: "object" });
  expect(await statuses(lambda, { "x-user": "ada" })).toEqual(all);
  expect(await statuses(lambda, {})).toEqual(none);
  const made = await fetch(`${lambda.url}/api/threads`, {
    method: "POST",
    headers: { "x-user": "ada" },
    body: "{}",
  });
  const { thread_id } = await made.json();
  const asked = async (user: string) =>
    (await fetch(`${lambda.url}/api/threads/${thread_id}`, { headers: { "x-user": user } })).status;
  expect([await asked("ada"), await asked("grace")]).toEqual([200, 404]);
});

describe("a request", () => {
  let lambda: Lambda;
  beforeAll(async () => {
    lambda = await start({ FUNCTION_KEY: "key" });
  });
  afterAll(() => lambda[Symbol.asyncDispose]());

  const idOf = async (headers: Readonly<Record<string, string>>) =>
    (await fetch(`${lambda.url}/api/health`, { headers })).headers.get("x-request-id");

  test("is named as Lambda names it, which its log and its REPORT lines do too", async () => {
    const id = await idOf({});
    await expect.poll(() => lambda.reports.map(({ requestId }) => requestId)).toContain(id);
  });

  test("is named as its client names it", async () => {
    expect(await idOf({ "x-request-id": "mine" })).toBe("mine");
  });
});

describe("a deployment that cannot serve says so when it starts, and what to do", () => {
  test.each([
    [{ DATABASE_URL: "" }, "DATABASE_URL"],
    [{ DATABASE_URL: "mysql://a.example/b" }, "DATABASE_URL"],
    [{ DATABASE_POOL_SIZE: "many" }, "DATABASE_POOL_SIZE"],
    [{ AUTH: "jwt", JWT_SECRET: "short" }, "secret: must have at least 32 bytes"],
  ])("%j", async (env, message) => {
    await using lambda = await start(env);
    expect((await fetch(`${lambda.url}/api/health`)).status).toBe(502);
    expect(lambda.output.join("\n")).toContain(message);
    expect(lambda.output.join("\n")).not.toContain("mysql://");
  });
});
