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

test("a run whose executor vanished is finished by another, and then its thread is free", async () => {
  const { graph, entered, open } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const vanished = server.post("/graphs/gated/invoke", body);
  await entered;
  // As if the executor had stopped: its lease lapses, and whatever it still wants to write comes too late.
  await server.database.query(
    "update langgraph.runs set lease_id = gen_random_uuid(), lease_until = now() - interval '1 second'",
  );
  open();
  expect(await vanished).toMatchObject({ status: 200, body: { output: { text: "a after all" } } });
  expect(await server.database.query("select status, claims from langgraph.runs")).toEqual([
    { status: "success", claims: 2 },
  ]);
  expect((await server.post("/graphs/gated/invoke", body)).status).toBe(200);
});

test("a run that never gets anywhere is given up after three attempts, and says so", async () => {
  const { graph, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const request = server.post("/graphs/gated/invoke", body);
  await entered;
  await server.database.query(
    "update langgraph.runs set attempt = 3, lease_id = gen_random_uuid(), lease_until = now() - interval '1 second'",
  );
  expect(await request).toMatchObject({
    status: 500,
    body: { detail: expect.stringContaining("Given up after 3 attempts") },
  });
  expect(await server.database.query("select status from langgraph.threads")).toEqual([{ status: "error" }]);
});
