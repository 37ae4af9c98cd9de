import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, afterEach, expect, test, vi } from "vitest";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { startEntra, type Entra } from "../support/entra.ts";
import { gated, shout } from "../support/graphs.ts";
import { launch, testFolder } from "../support/program.ts";
import { documentedSql } from "../support/roles.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** One for all tests, as the library keeps the first endpoint of its process; and what lives long, for the tests that follow. */
let place: Passwordless;
beforeAll(async () => {
  place = await passwordless();
});
afterAll(async () => place[Symbol.asyncDispose]());
beforeEach(() => {
  for (const [name, value] of Object.entries(place.entra.env)) vi.stubEnv(name, value);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

interface Passwordless extends AsyncDisposable {
  readonly database: TestDatabase;
  readonly entra: Entra;
  readonly user: string;
  /** Without a password. */
  readonly url: string;
  /** Ends the connections of the app that do nothing. */
  readonly disconnect: () => Promise<number>;
}

/** A role that signs in with tokens, and what it signs in to. */
async function passwordless(): Promise<Passwordless> {
  const database = await testDatabase();
  const user = `app_${randomUUID().slice(0, 8)}`;
  await database.query(`create role ${user} login`);
  const { pathname } = new URL(database.directUrl);
  const names = { migrate: "postgres", app: user, database: pathname.slice(1) };
  await database.query((await documentedSql(names)).grants);
  const clientId = randomUUID();
  const entra = await startEntra(database, { user, clientId });
  const url = new URL(database.directUrl);
  url.username = user;
  url.password = "";
  return {
    database,
    entra,
    user,
    url: url.href,
    disconnect: async () => {
      const ended = await database.query(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = $1 and state = 'idle'",
        [user],
      );
      return ended.length;
    },
    [Symbol.asyncDispose]: async () => {
      await entra[Symbol.asyncDispose]();
      await database.query(`drop owned by ${user}`);
      await database.query(`drop role ${user}`);
      await database[Symbol.asyncDispose]();
    },
  };
}

const invoke = async (server: TestServer, text: string): Promise<number> => {
  const body = { input: { text }, config: { configurable: { thread_id: text } } };
  return (await server.post("/graphs/shout/invoke", body)).status;
};

test("while tokens change and connections end, runs go on and nothing fails", async () => {
  const { graph, entered, open } = gated();
  const graphs = [
    { name: "shout", graph: shout },
    { name: "gated", graph },
  ];
  await using server = await startServer({ graphs, local: { databaseUrl: place.url } });
  const run = server.post("/graphs/gated/invoke", { input: { text: "a" } });
  await entered;
  const before = place.entra.asked();
  for (const round of ["b", "c", "d", "e"]) {
    await place.entra.rotate();
    expect(await place.disconnect()).toBeGreaterThan(0);
    const texts = ["1", "2", "3", "4", "5", "6"].map((text) => `${round}${text}`);
    expect(await Promise.all(texts.map(async (text) => invoke(server, text)))).toEqual(texts.map(() => 200));
  }
  expect(place.entra.asked() - before).toBe(4); // once a round, whoever was refused: the library keeps nothing so short-lived
  open();
  expect((await run).status).toBe(200);
  expect(server.errors).toEqual([]);
});

test("without tokens, what has a connection works; then it is a 503 and a line in the log, until they are back", async () => {
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    local: { databaseUrl: place.url },
  });
  expect(await invoke(server, "x")).toBe(200);
  place.entra.breakDown();
  await place.entra.rotate();
  expect(await invoke(server, "y")).toBe(200);
  await place.disconnect();
  expect(await invoke(server, "z")).toBe(503);
  const [{ fields, message } = { fields: {}, message: "" }] = server.errors;
  expect(message).toBe("A request failed");
  const reason = expect.stringContaining("Microsoft Entra ID gives no token for the database: ");
  expect(fields).toMatchObject({ err: { message: reason } });
  place.entra.mend();
  expect(await invoke(server, "x")).toBe(200);
});

test("a token of an hour is not given anew because it is refused: it is a 503 until five minutes before its end", async () => {
  place.entra.giveFor(3_600);
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    local: { databaseUrl: place.url },
  });
  expect(await invoke(server, "x")).toBe(200);
  const asked = place.entra.asked();
  await place.entra.rotate();
  expect(await invoke(server, "y")).toBe(200); // by the connection that there is
  expect(await place.disconnect()).toBeGreaterThan(0);
  for (const text of ["z", "z"]) expect(await invoke(server, text)).toBe(503);
  expect(place.entra.asked()).toBe(asked);
  vi.setSystemTime(Date.now() + 3_301_000);
  expect(await invoke(server, "z")).toBe(200);
  expect(place.entra.asked()).toBe(asked + 1);
});

test("a bundle in chunks, as it is deployed, signs in with tokens", async () => {
  await using folder = await testFolder();
  const before = place.entra.asked();
  await using program = launch({ folder, env: { ...place.entra.env, DATABASE_URL: place.url } });
  await program.serving();
  expect(place.entra.asked()).toBe(before + 1);
});
