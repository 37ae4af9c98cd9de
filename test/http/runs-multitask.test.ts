import { LangGraphApp } from "langgraph-functions";
import { expect, test } from "vitest";
import { z } from "zod";
import { testDatabase } from "../support/database.ts";
import { gated, shout } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";

const Listed = z.looseObject({ run_id: z.uuid(), status: z.string() });

const onGated = { assistant_id: "gated", input: { text: "a" }, if_not_exists: "create" };
const onShout = { assistant_id: "shout", input: { text: "b" } };

/** A server whose thread `t` is busy with a run, and has another one waiting. */
async function busyServer() {
  const { graph, entered, open } = gated();
  const server = await startServer({
    graphs: [
      { name: "gated", graph },
      { name: "shout", graph: shout },
    ],
  });
  const running = await create(server, onGated);
  await entered;
  const waiting = await create(server, onShout);
  return { server, running, waiting, open };
}

async function create(server: TestServer, body: object): Promise<string> {
  const answer = await server.post("/threads/t/runs", body);
  expect(answer.status).toBe(200);
  return Listed.parse(answer.body).run_id;
}

async function statuses(server: TestServer): Promise<Record<string, string>> {
  const { body } = await server.get("/threads/t/runs");
  return Object.fromEntries(
    z
      .array(Listed)
      .parse(body)
      .map(({ run_id, status }) => [run_id, status]),
  );
}

test("reject refuses the new run", async () => {
  const { server: opened, open } = await busyServer();
  await using server = opened;
  for (const door of ["", "/wait", "/stream"]) {
    const answer = await server.post(`/threads/t/runs${door}`, { ...onShout, multitask_strategy: "reject" });
    expect(answer).toMatchObject({ status: 409, body: { error: "thread_busy" } });
  }
  open();
});

test("enqueue, which is the default, lets the new run wait for its turn", async () => {
  const { server: opened, running, waiting, open } = await busyServer();
  await using server = opened;
  const last = server.post("/threads/t/runs/wait", { ...onShout, input: { text: "c" } });
  expect(await statuses(server)).toMatchObject({ [running]: "running", [waiting]: "pending" });
  open();
  expect((await last).body).toEqual({ text: "c!" });
  expect(await statuses(server)).toMatchObject({ [running]: "success", [waiting]: "success" });
});

test.each(["", "/wait", "/stream"])(
  "interrupt stops the others and keeps what they did: runs%s",
  async (door) => {
    const { server: opened, running, waiting } = await busyServer();
    await using server = opened;
    const answer = await server.post(`/threads/t/runs${door}`, {
      ...onShout,
      multitask_strategy: "interrupt",
    });
    expect(answer.status).toBe(200);
    const newest = Object.keys(await statuses(server))[0] ?? "";
    expect((await server.get(`/threads/t/runs/${newest}/join`)).body).toEqual({ text: "b!" });
    expect(await statuses(server)).toEqual({
      [newest]: "success",
      [running]: "interrupted",
      [waiting]: "interrupted",
    });
    expect(await server.database.query("select status, active_runs from langgraph.threads")).toEqual([
      { status: "idle", active_runs: 0 },
    ]);
  },
);

test("rollback undoes the others as if they had never been", async () => {
  const { server: opened, running } = await busyServer();
  await using server = opened;
  const answer = await server.post("/threads/t/runs/wait", { ...onShout, multitask_strategy: "rollback" });
  expect(answer.body).toEqual({ text: "b!" });
  expect(Object.values(await statuses(server))).toEqual(["success"]);
  const left = "select from public.checkpoints where metadata ->> 'run_id' = $1";
  expect(await server.database.query(left, [running])).toEqual([]);
});

test("of runs that come at the same instant to interrupt each other, the last one admitted stays", async () => {
  const { server: opened } = await busyServer();
  await using server = opened;
  const body = { ...onShout, multitask_strategy: "interrupt" };
  await Promise.all(Array.from({ length: 6 }, async () => create(server, body)));
  const [newest, ...others] = Object.entries(await statuses(server));
  expect((await server.get(`/threads/t/runs/${newest?.[0]}/join`)).body).toEqual({ text: "b!" });
  expect(others).toHaveLength(7);
  expect(await statuses(server)).toMatchObject({ [newest?.[0] ?? ""]: "success" });
  expect(await server.database.query("select active_runs from langgraph.threads")).toEqual([
    { active_runs: 0 },
  ]);
});

test("a run that was never begun is cancelled with its thread, or not at all", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const { query } = server.database;
  const later = { ...onShout, after_seconds: 3_600 };
  const { run_id, thread_id } = z
    .object({ run_id: z.string(), thread_id: z.string() })
    .parse((await server.post("/runs", later)).body);
  await query(`
    create function public.refuse() returns trigger language plpgsql as $$ begin
      raise exception 'The database has gone';
    end $$`);
  await query("create trigger refuse before delete on langgraph.runs execute function public.refuse()");
  const cancel = async () => server.post("/runs/cancel", { thread_id, run_ids: [run_id] });
  expect((await cancel()).status).toBe(500);
  expect(await query("select status from langgraph.runs")).toEqual([{ status: "pending" }]);
  await query("drop trigger refuse on langgraph.runs");
  expect((await cancel()).status).toBe(204);
  expect(
    await query(
      "select run_id::text as id from langgraph.runs union all select thread_id from langgraph.threads",
    ),
  ).toEqual([]);
});

test("a run that has first made way for itself is held for as long as any other", async () => {
  await using database = await testDatabase();
  await using app = new LangGraphApp().register({ name: "shout", graph: shout });
  const { fetch } = app.doors({
    settings: { database: { url: database.url, poolSize: 2, migrate: false }, logLevel: "silent" },
    queue: {
      send: async () => undefined, // no worker comes before the one that waits
      check: async () => undefined,
      depth: async () => ({ messages: 0 }),
      outlivesProcess: () => true,
    },
  });
  const ask = async (path: string, body: object) => {
    const headers = { "content-type": "application/json" };
    const request = new Request(`http://test/api${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    return fetch(request, { signal: new AbortController().signal, authLevel: "admin" });
  };
  await ask("/threads/t/runs", { ...onShout, if_not_exists: "create", after_seconds: 3_600 });
  await database.query("create table public.leases (seconds float8); grant all on public.leases to public");
  await database.query(`
    create function public.slowly() returns trigger language plpgsql as $$ begin
      if new.status = 'interrupted' then perform pg_sleep(0.1); end if;
      if new.status = 'running' then insert into public.leases values (extract(epoch from new.lease_until - now())); end if;
      return new;
    end $$`);
  await database.query(
    "create trigger slowly before update of status on langgraph.runs for each row execute function public.slowly()",
  );
  const answer = await ask("/threads/t/runs/wait", { ...onShout, multitask_strategy: "interrupt" });
  expect(await answer.json()).toEqual({ text: "b!" });
  expect(await database.query("select seconds from public.leases")).toEqual([{ seconds: 30 }]);
});
