import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { runMigrations } from "../../src/migrations.ts";
import { shout } from "../support/graphs.ts";
import { launch, testFolder } from "../support/program.ts";
import { startRds, type Credentials, type Rds } from "../support/rds.ts";
import { startServer, type TestServer } from "../support/server.ts";

let rds: Rds;

beforeAll(async () => {
  rds = await startRds(async (url) => {
    const database = { url, poolSize: 1, migrate: true };
    await runMigrations({ database, logLevel: "silent" }, () => undefined);
  });
});
afterAll(async () => rds[Symbol.asyncDispose]());
beforeEach(() => {
  vi.stubEnv("DATABASE_AUTH", "rds-iam");
  vi.stubEnv("AWS_REGION", "eu-central-1");
  vi.stubEnv("AWS_SESSION_TOKEN", "t".repeat(900)); // as roles have one
});
afterEach(() => vi.unstubAllEnvs());

/** What Lambda gives the function, and the server allows. */
function signWith(credentials: Credentials): void {
  vi.stubEnv("AWS_ACCESS_KEY_ID", credentials.accessKeyId);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", credentials.secretAccessKey);
}

const ours = { accessKeyId: "AKIAOURS", secretAccessKey: "the first secret" };
const graphs = [{ name: "shout", graph: shout }];
const start = async (databaseUrl = rds.url) => startServer({ graphs, local: { databaseUrl } });
const invoke = async (server: TestServer) =>
  server.post("/graphs/shout/invoke", { input: { text: "a" } }).then(({ status, body }) => [status, body]);
const done = [200, expect.objectContaining({ output: { text: "a!" } })];

test("a function signs in to RDS with tokens that it signs, over a connection whose certificate is checked", async () => {
  rds.allow(ours);
  signWith(ours);
  await using server = await start();
  expect(await Promise.all(Array.from({ length: 8 }, async () => invoke(server)))).toEqual(
    Array.from({ length: 8 }, () => done),
  );
  expect(rds.shown.map(({ refused }) => refused)).toEqual(rds.shown.map(() => undefined));
  expect(Math.min(...rds.shown.map(({ length }) => length))).toBeGreaterThan(1_000);
  expect(server.errors).toEqual([]);
});

test("when the credentials have changed, a token of the old ones is signed anew, and nothing fails", async () => {
  rds.allow(ours);
  signWith(ours);
  await using server = await start();
  expect(await invoke(server)).toEqual(done);
  const next = { accessKeyId: "AKIANEXT", secretAccessKey: "the second secret" };
  rds.allow(next);
  signWith(next);
  expect(await rds.disconnect()).toBeGreaterThan(0);
  expect(await Promise.all([invoke(server), invoke(server), invoke(server)])).toEqual([done, done, done]);
  expect(rds.shown.map(({ refused }) => refused)).toContain("signed by somebody else");
  expect(server.errors).toEqual([]);
});

test("credentials that the database does not know are a 503 and a line in the log, until it knows them", async () => {
  rds.allow(ours);
  signWith(ours);
  await using server = await start();
  rds.allow({ ...ours, secretAccessKey: "another secret" });
  await rds.disconnect();
  expect(await invoke(server)).toEqual([503, expect.objectContaining({ error: "unavailable" })]);
  const [{ fields, message } = { fields: {}, message: "" }] = server.errors;
  expect(message).toBe("A request failed");
  expect(fields).toMatchObject({ err: { message: 'PAM authentication failed for user "agents_app"' } });
  rds.allow(ours);
  expect(await invoke(server)).toEqual(done);
});

test("no token goes to a server whose certificate is not good", async () => {
  rds.allow(ours);
  signWith(ours);
  const before = rds.shown.length;
  const url = rds.url.replace(/&sslrootcert=.*/, "");
  await expect(start(url)).rejects.toThrow(/cannot be used\. self-signed certificate/);
  expect(rds.shown.length).toBe(before);
});

test("a bundle in chunks, as it is deployed, signs in with tokens", async () => {
  rds.allow(ours);
  const before = rds.shown.length;
  await using folder = await testFolder();
  const { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY } = ours;
  const env = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION: "eu-central-1" };
  await using program = launch({
    folder,
    env: { ...env, DATABASE_URL: rds.url, DATABASE_AUTH: "rds-iam" },
  });
  await program.serving();
  expect(rds.shown.slice(before)).toContainEqual(expect.objectContaining({ refused: undefined }));
});
