import { randomUUID } from "node:crypto";
import sql from "sql-template-tag";
import { expect, test, vi } from "vitest";
import { openDatabase, type Database } from "../../src/postgres/pool.ts";
import type { TokenSource } from "../../src/postgres/sign-in.ts";
import { testDatabase } from "../support/database.ts";

const MINUTE = 60_000;
/** Of a busy machine. */
const PATIENCE = 15_000;

interface Place extends AsyncDisposable {
  readonly database: Database;
  /** As many tokens as were fetched; each is good for an hour, and renewed after half of it. */
  readonly fetched: () => number;
  /** The role's password is the next token, which the source has from now on. */
  readonly rotate: () => Promise<void>;
  readonly pass: (ms: number) => void;
  /** In the place of the source. */
  readonly replace: (source: TokenSource | undefined) => void;
  readonly disconnect: () => Promise<void>;
}

/** A role whose password is a token, on a Postgres that asks for passwords. */
async function place({ poolSize = 4, timeoutMs = 15_000 } = {}): Promise<Place> {
  const test = await testDatabase();
  const user = `app_${randomUUID().slice(0, 8)}`;
  let now = new Date("2026-01-01T00:00:00Z");
  let token = "";
  let fetched = 0;
  let replacement: TokenSource | undefined;
  const rotate = async (): Promise<void> => {
    token = `token-${randomUUID()}`;
    await test.query(`alter role ${user} password '${token}'`);
  };
  await test.query(`create role ${user} login`);
  await rotate();
  const url = new URL(test.directUrl);
  Object.assign(url, { username: user, password: "" });
  const tokens: TokenSource = async (options) => {
    fetched += 1;
    if (replacement !== undefined) return replacement(options);
    const at = (minutes: number) => new Date(now.getTime() + minutes * MINUTE);
    return { text: token, renewAt: at(30), expiresAt: at(60) };
  };
  const settings = { url: url.href, tokens, poolSize, migrate: false, timeoutMs };
  const database = openDatabase(settings, { now: () => now });
  return {
    database,
    fetched: () => fetched,
    rotate,
    pass: (ms) => (now = new Date(now.getTime() + ms)),
    replace: (source) => (replacement = source),
    disconnect: async () => {
      const end = "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = $1";
      await test.query(end, [user]);
      await vi.waitFor(() => expect(database.pool.totalCount).toBe(0), PATIENCE);
    },
    [Symbol.asyncDispose]: async () => {
      await database[Symbol.asyncDispose]();
      await test.query(`drop role ${user}`);
      await test[Symbol.asyncDispose]();
    },
  };
}

const one = sql`select 1 as one, pg_sleep(0.05)`;
const ask = async ({ database }: Place) => (await database.query(one)).rows.map(({ one }) => Number(one));
const down: TokenSource = async () => {
  throw new Error("The token source is down");
};

test("connections that are opened at once ask for one token, and later ones for none while it is fresh", async () => {
  await using here = await place();
  await Promise.all([ask(here), ask(here), ask(here), ask(here)]);
  expect(here.database.pool.totalCount).toBe(4);
  await here.disconnect();
  here.pass(29 * MINUTE);
  await ask(here);
  expect(here.fetched()).toBe(1);
});

test("a token is fetched anew before it expires, and a connection outlives the one that it was opened with", async () => {
  await using here = await place({ poolSize: 1 });
  await ask(here);
  await here.rotate();
  here.pass(90 * MINUTE);
  expect(await ask(here)).toEqual([1]); // on the connection that there is
  expect(here.fetched()).toBe(1);
  await here.disconnect();
  expect(await ask(here)).toEqual([1]);
  expect(here.fetched()).toBe(2);
});

test("a token that the server refuses is fetched anew at once, by one for all", async () => {
  await using here = await place();
  await Promise.all([ask(here), ask(here), ask(here), ask(here)]);
  await here.rotate();
  await here.disconnect();
  expect(await Promise.all([ask(here), ask(here), ask(here), ask(here)])).toEqual([[1], [1], [1], [1]]);
  expect(here.fetched()).toBe(2);
});

test("one that is refused twice is an error, and no reason not to ask the next time", async () => {
  await using here = await place();
  const never = new Date("2027-01-01T00:00:00Z");
  const seen: boolean[] = [];
  here.replace(async ({ isRefused }) => {
    seen.push(isRefused);
    return { text: "wrong", renewAt: never, expiresAt: never };
  });
  await expect(ask(here)).rejects.toThrow("password authentication failed");
  expect(seen).toEqual([false, true]);
  here.replace(undefined);
  expect(await ask(here)).toEqual([1]);
});

test("while its source is away, a token is used until it expires; then the database is unavailable until it is back", async () => {
  await using here = await place();
  await ask(here);
  here.replace(down);
  await here.disconnect();
  here.pass(45 * MINUTE);
  expect(await ask(here)).toEqual([1]);
  await here.disconnect();
  here.pass(20 * MINUTE);
  const cause = expect.objectContaining({ message: "The token source is down" });
  await expect(ask(here)).rejects.toMatchObject({ code: "unavailable", cause, retryAfterSeconds: 5 });
  here.replace(undefined);
  expect(await ask(here)).toEqual([1]);
});

test("without a token, what has connections works, and nothing is left of what has none", async () => {
  await using here = await place({ poolSize: 2 });
  await ask(here);
  here.replace(down);
  here.pass(90 * MINUTE);
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  const before = sockets();
  const outcomes = await Promise.allSettled([ask(here), ask(here)]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  await vi.waitFor(() => expect(sockets()).toBeLessThanOrEqual(before), PATIENCE);
  expect(here.database.pool.totalCount).toBe(1);
});

test("a source that never answers costs bounded time, and the next one nothing", async () => {
  await using here = await place({ timeoutMs: 1_000 });
  here.replace(async () => new Promise(() => undefined));
  const cause = expect.objectContaining({ message: "No token came in time" });
  await expect(ask(here)).rejects.toMatchObject({ code: "unavailable", cause });
  here.replace(undefined);
  expect(await ask(here)).toEqual([1]);
});
