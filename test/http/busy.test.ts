import { expect, test, vi } from "vitest";
import { gated, shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const body = { input: { text: "a" }, config: { configurable: { thread_id: "t" } } };
const busy = { error: "thread_busy", detail: "Thread 't' is currently in use by another request" };

test("a thread takes one run at a time, whichever graph asks, and is free again afterwards", async () => {
  const { graph, entered, open } = gated();
  const graphs = [
    { name: "gated", graph },
    { name: "shout", graph: shout },
  ];
  await using server = await startServer({ graphs });
  const first = server.post("/graphs/gated/invoke", body);
  await entered;

  for (const path of ["/graphs/gated/invoke", "/graphs/gated/stream", "/graphs/shout/invoke"]) {
    const refused = await server.post(path, body);
    expect([refused.status, refused.body]).toEqual([409, busy]);
  }
  expect((await server.get("/graphs/gated/threads/t/state")).status).toBe(200); // reading needs no turn

  open();
  expect(await first).toMatchObject({ status: 200 });
  expect(await server.post("/graphs/gated/stream", body)).toMatchObject({ status: 200 });
});

test("other threads, and runs without one, are not held up", async () => {
  const { graph, entered, open } = gated();
  await using server = await startServer({
    graphs: [
      { name: "gated", graph },
      { name: "shout", graph: shout },
    ],
  });
  const first = server.post("/graphs/gated/invoke", body);
  await entered;
  const other = { ...body, config: { configurable: { thread_id: "u" } } };
  expect((await server.post("/graphs/shout/invoke", other)).status).toBe(200);
  expect((await server.post("/graphs/shout/invoke", { input: body.input })).status).toBe(200);
  open();
  await first;
});

test("of many runs that ask at once, one gets the thread", async () => {
  const { graph, open } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  let refusals = 0;
  const answers = Array.from({ length: 8 }, async () => {
    const answer = await server.post("/graphs/gated/invoke", body);
    if (answer.status === 409) refusals += 1;
    return answer;
  });
  await vi.waitFor(() => expect(refusals).toBe(7), { timeout: 20_000 });
  open();
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  expect(await server.database.query("select status from langgraph.runs")).toEqual([{ status: "success" }]);
});

test("two servers on one database give a thread to one run", async () => {
  const one = gated();
  const other = gated();
  await using first = await startServer({ graphs: [{ name: "gated", graph: one.graph }] });
  await using second = await startServer({
    graphs: [{ name: "gated", graph: other.graph }],
    local: { databaseUrl: first.database.url },
  });
  const running = first.post("/graphs/gated/invoke", body);
  await one.entered;
  expect((await second.post("/graphs/gated/invoke", body)).body).toEqual(busy);
  one.open();
  other.open();
  await running;
  expect((await second.post("/graphs/gated/invoke", body)).status).toBe(200);
});

test("a thread whose run's lease has lapsed takes the next run", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await server.database.query(`
    insert into langgraph.threads (thread_id, assistant_id, status, created_at, updated_at)
    values ('t', 'shout', 'busy', now(), now())`);
  const insertRun = async (until: string) =>
    server.database.query(`
      insert into langgraph.runs (run_id, thread_id, assistant_id, status, lease_id, lease_until, created_at, updated_at)
      values (gen_random_uuid(), 't', 'shout', 'running', gen_random_uuid(), now() + interval '${until}', now(), now())`);
  await insertRun("1 hour");
  expect((await server.post("/graphs/shout/invoke", body)).body).toEqual(busy);
  await server.database.query("update langgraph.runs set lease_until = now() - interval '1 second'");
  expect((await server.post("/graphs/shout/invoke", body)).body).toEqual({ output: { text: "a!" } });
  expect(await server.database.query("select status, error from langgraph.runs order by created_at")).toEqual(
    [
      { status: "error", error: "The instance that executed the run vanished" },
      { status: "success", error: null },
    ],
  );
});

test("a run that was taken over writes nothing more, and its client hears of it", async () => {
  const { graph, entered, open } = gated();
  await using server = await startServer({
    graphs: [
      { name: "gated", graph },
      { name: "shout", graph: shout },
    ],
  });
  const first = server.post("/graphs/gated/invoke", body);
  await entered;
  await server.database.query("update langgraph.runs set lease_until = now() - interval '1 second'");
  const second = await server.post("/graphs/shout/invoke", { ...body, input: { text: "b" } });
  expect(second.body).toEqual({ output: { text: "b!" } });
  open();
  expect(await first).toMatchObject({ status: 503, body: { error: "unavailable" } });
  const state = await server.get("/graphs/shout/threads/t/state");
  expect(state.body).toMatchObject({ values: { text: "b!" } });
});
