import { expect, test, vi } from "vitest";
import { z } from "zod";
import { allEvents, readEvents } from "../support/events.ts";
import { abortable, gated, reporting, shout } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";

const run = { assistant_id: "shout", input: { text: "a" }, if_not_exists: "create" };

async function open({ url }: TestServer, path: string, body: unknown, init?: RequestInit): Promise<Response> {
  const headers = { "content-type": "application/json" };
  return fetch(`${url}${path}`, { method: "POST", headers, body: JSON.stringify(body), ...init });
}

async function onlyRun({ database }: TestServer): Promise<string> {
  const [row] = await database.query("select run_id from langgraph.runs");
  return String(row?.["run_id"]);
}

test("each frame has its event, its data and its id, and the answer says where the run is to be found", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const response = await open(server, "/threads/t/runs/stream", run);
  const run_id = await onlyRun(server);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    "content-location": `/threads/t/runs/${run_id}`,
    location: `/threads/t/runs/${run_id}/stream`,
  });
  expect(await response.text()).toBe(
    `event: metadata\ndata: {"run_id":"${run_id}","attempt":1}\nid: 0\n\n` +
      `event: values\ndata: {"text":"a"}\nid: 1\n\nevent: values\ndata: {"text":"a!"}\nid: 2\n\n`,
  );
});

test("the ids of a thread's second run go on from those of its first", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await (await open(server, "/threads/t/runs/stream", run)).text();
  const second = await (await open(server, "/threads/t/runs/stream", run)).text();
  expect([...second.matchAll(/^id: (\d+)$/gm)].map(([, id]) => id)).toEqual(["2", "3", "4"]);
});

test.each([
  [{ surprise: 1 }, "surprise"],
  [{ webhook: "/internal" }, "webhook"],
  [{ feedback_keys: ["a"] }, "feedback_keys"],
  [{ langsmith_tracer: { project: "a" } }, "langsmith_tracer"],
  [{ stream_mode: "surprise" }, "stream_mode"],
  [{ multitask_strategy: "surprise" }, "multitask_strategy"],
  [{ config: { surprise: 1 } }, "config"],
  [{ config: { configurable: { thread_id: "u" } } }, "config.configurable.thread_id"],
  [{ checkpoint: { thread_id: "u" } }, "checkpoint.thread_id"],
  [{ command: { resume: 1 } }, "command"],
  [{ on_completion: "delete" }, "on_completion"],
])("what a run is not to have is refused by its name: %j", async (more, field) => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  for (const door of ["", "/wait", "/stream"]) {
    const answer = await server.post(`/threads/t/runs${door}`, { ...run, ...more });
    expect(answer).toMatchObject({ status: 422, body: { detail: expect.stringContaining(field) } });
  }
  expect(await server.database.query("select from langgraph.runs")).toEqual([]);
});

test("queries are checked, too", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  for (const path of ["?limit=0", "?surprise=1", "?select=surprise", "/nonsense", "/nonsense/join"])
    expect((await server.get(`/threads/t/runs${path}`)).status).toBe(422);
  const unknown = "00000000-0000-4000-8000-000000000000";
  for (const path of ["", "/join", "/stream"])
    expect((await server.get(`/threads/t/runs/${unknown}${path}`)).status).toBe(404);
});

test("a run's context reaches the graph, and what the server makes goes over it", async () => {
  const context = () => ({ user: "server" });
  await using server = await startServer({ graphs: [{ name: "reporting", graph: reporting, context }] });
  const body = { assistant_id: "reporting", input: { text: "a" }, context: { user: "client", plan: "pro" } };
  expect((await server.post("/runs/wait", body)).body).toMatchObject({
    report: { context: { user: "server", plan: "pro" } },
  });
});

test("a run that is to start later waits until then, and holds up nobody", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const late = await server.post("/threads/t/runs", { ...run, after_seconds: 1 });
  const { run_id } = z.looseObject({ run_id: z.uuid() }).parse(late.body);
  expect((await server.post("/threads/t/runs/wait", run)).body).toEqual({ text: "a!" });
  expect((await server.get(`/threads/t/runs/${run_id}`)).body).toMatchObject({ status: "pending" });
  expect((await server.get(`/threads/t/runs/${run_id}/join`)).body).toEqual({ text: "a!" });
});

test.each(["stream", "wait"])(
  "a client of %s that goes away takes its run with it, if it said so",
  async (door) => {
    const { graph, entered, aborted } = abortable();
    await using server = await startServer({ graphs: [{ name: "shout", graph }] });
    const client = new AbortController();
    const body = { ...run, on_disconnect: "cancel" };
    const response = await open(server, `/threads/t/runs/${door}`, body, { signal: client.signal });
    await entered;
    client.abort();
    await expect(response.text()).rejects.toThrow();
    await aborted;
    await vi.waitFor(
      async () =>
        expect(await server.database.query("select status from langgraph.runs")).toEqual([
          { status: "interrupted" },
        ]),
      { timeout: 15_000 },
    );
  },
);

test("a client that goes away leaves its run alone otherwise, and one that joins may stop it", async () => {
  const { graph, entered, open: proceed } = gated();
  await using server = await startServer({ graphs: [{ name: "shout", graph }] });
  const client = new AbortController();
  const response = await open(server, "/threads/t/runs/stream", run, { signal: client.signal });
  await entered;
  client.abort();
  await expect(response.text()).rejects.toThrow();
  const run_id = await onlyRun(server);
  const joined = fetch(`${server.url}/threads/t/runs/${run_id}/stream`);
  proceed();
  expect((await allEvents(await joined)).at(-1)).toMatchObject({ data: { text: "a after all" } });
});

test("a stream begins at once, also when its run has to wait", async () => {
  const { graph, entered, open: proceed } = gated();
  await using server = await startServer({ graphs: [{ name: "shout", graph }] });
  const first = server.post("/threads/t/runs/wait", run);
  await entered;
  const frames = readEvents(await open(server, "/threads/t/runs/stream", run));
  expect((await frames.next()).value).toMatchObject({ event: "metadata" });
  proceed();
  expect((await first).body).toEqual({ text: "a after all" });
  const rest = [];
  for await (const { event } of frames) rest.push(event);
  expect(rest).toEqual(["values", "values"]);
});
