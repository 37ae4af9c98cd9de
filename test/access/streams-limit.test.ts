import { expect, test, vi } from "vitest";
import { z } from "zod";
import { gated, shout } from "../support/graphs.ts";
import { raw } from "../support/mcp.ts";
import { startServer, type ServerOptions, type TestServer } from "../support/server.ts";

const limits = { maxStreams: 2 };
const headers = { "content-type": "application/json" };

async function serve(
  graph: ReturnType<typeof gated>["graph"],
  options: Partial<ServerOptions> = {},
): Promise<TestServer> {
  const graphs = [
    { name: "gated", graph },
    { name: "shout", graph: shout },
  ];
  return startServer({ graphs, limits, ...options });
}

const body = JSON.stringify({ assistant_id: "gated", input: { text: "a" } });

/** An answer that is still open: its body has not ended. */
async function open({ url }: TestServer, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}${path}`, { method: "POST", headers, body, ...init });
}

async function places({ database }: TestServer): Promise<number> {
  return (await database.query("select 1 from langgraph.streams")).length;
}

test("a caller holds as many streams and waits open as it may, and one more when one has ended", async () => {
  const { graph, open: openGate, entered } = gated();
  await using server = await serve(graph);
  const stream = await open(server, "/runs/stream");
  const wait = await open(server, "/runs/wait");
  await entered;
  for (const path of ["/runs/stream", "/runs/wait", "/graphs/shout/stream"]) {
    const refused = await server.post(path, path.startsWith("/graphs") ? '{"input":{"text":"a"}}' : body);
    expect([refused.status, refused.body]).toEqual([
      429,
      { error: "rate_limited", detail: "More than 2 streams are open at a time" },
    ]);
    expect(refused.headers.get("retry-after")).toBe("5");
  }
  const runs = await server.database.query("select 1 from langgraph.runs");
  expect(runs).toHaveLength(2);
  expect((await server.post("/threads/search", {})).status).toBe(200);
  openGate();
  await Promise.all([stream.text(), wait.text()]);
  expect(await places(server)).toBe(0);
  expect((await server.post("/runs/wait", body)).status).toBe(200);
  expect(await places(server)).toBe(0);
});

test("a client that goes away gives its place back", async () => {
  const { graph, open: openGate, entered } = gated();
  await using server = await serve(graph);
  const leaving = new AbortController();
  const stream = await open(server, "/runs/stream", { signal: leaving.signal });
  await entered;
  expect(await places(server)).toBe(1);
  leaving.abort();
  await expect(stream.text()).rejects.toThrow();
  await vi.waitFor(async () => expect(await places(server)).toBe(0), { timeout: 10_000, interval: 20 });
  openGate();
});

test("joins, the streams of threads and of the protocol count, and what is refused or fails takes no place", async () => {
  const { graph, open: openGate, entered } = gated();
  await using server = await serve(graph);
  const thread_id = "00000000-0000-4000-8000-000000000001";
  await server.post("/threads", { thread_id });
  const run = await server.post(`/threads/${thread_id}/runs`, body);
  await entered;
  const { run_id } = z.object({ run_id: z.string() }).parse(run.body);
  const path = `/threads/${thread_id}`;
  const events = { body: JSON.stringify({ channels: ["values"] }) };
  for (const [count, [route, init]] of [
    [`${path}/runs/${run_id}/join`, { method: "GET", body: null }] as const,
    [`${path}/runs/${run_id}/stream`, { method: "GET", body: null }] as const,
    [`${path}/stream`, { method: "GET", body: null }] as const,
    [`${path}/stream/events`, events] as const,
  ].entries()) {
    const leaving = new AbortController();
    const answer = await open(server, route, { ...init, signal: leaving.signal });
    expect([count, answer.status, await places(server)]).toEqual([count, 200, 1]);
    leaving.abort();
    await vi.waitFor(async () => expect(await places(server)).toBe(0), { timeout: 10_000, interval: 20 });
  }
  expect((await server.post("/runs/wait", { assistant_id: "nobody" })).status).toBe(404);
  expect(
    (await server.post("/runs/wait", { assistant_id: "gated", input: 1, command: { goto: 5 } })).status,
  ).toBe(422);
  expect((await server.get(`${path}/runs/${run_id}/stream`, { method: "HEAD" })).status).toBe(200);
  expect(await places(server)).toBe(0);
  openGate();
});

test("what agents ask for counts, too: A2A is refused as all others, a tool says so in its answer", async () => {
  const { graph, open: openGate, entered } = gated();
  await using server = await serve(graph, { limits: { maxStreams: 1 } });
  const stream = await open(server, "/runs/stream");
  await entered;
  const message = { role: "user", messageId: "1", parts: [{ kind: "data", data: { text: "a" } }] };
  for (const method of ["message/send", "message/stream"]) {
    const refused = await server.post("/a2a/shout", { jsonrpc: "2.0", id: 1, method, params: { message } });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "5"]);
  }
  const params = { name: "shout", arguments: { text: "a" } };
  const tool = await raw(server, { body: { jsonrpc: "2.0", id: 1, method: "tools/call", params } });
  expect(tool.text).toContain("More than 1 streams are open at a time");
  openGate();
  await stream.text();
});

test("of streams that are opened at once no more than the limit are, on all servers together", async () => {
  const { graph, open: openGate } = gated();
  await using first = await serve(graph);
  await using second = await serve(graph, { local: { databaseUrl: first.database.url } });
  const asked = [first, second, first, second, first, second].map(async (server) =>
    open(server, "/runs/stream"),
  );
  const answers = await Promise.all(asked);
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
    200, 200, 429, 429, 429, 429,
  ]);
  openGate();
  await Promise.all(answers.map(async (answer) => answer.text()));
});

test("each caller has places of its own", async () => {
  const { graph, open: openGate } = gated();
  const local = { keys: { function: "function-key", admin: "admin-key" } };
  await using server = await serve(graph, { limits: { maxStreams: 1 }, local });
  const status = async (key: string) => {
    const answer = await open(server, `/runs/stream?code=${key}`);
    return { status: answer.status, answer };
  };
  const asked = [await status("function-key"), await status("function-key"), await status("admin-key")];
  expect(asked.map(({ status }) => status)).toEqual([200, 429, 200]);
  const kept = await server.database.query("select identity from langgraph.streams");
  expect(JSON.stringify(kept)).not.toMatch(/function-key|admin-key/);
  openGate();
  await Promise.all(asked.map(async ({ answer }) => answer.text()));
});

test("the places of an instance that has vanished lapse", async () => {
  const { graph, open: openGate } = gated();
  openGate();
  await using server = await serve(graph);
  await server.database.query(
    `insert into langgraph.streams select gen_random_uuid(), 'address:127.0.0.1', now() + a * interval '1 second'
     from unnest(array[-1, 60, 60]) a`,
  );
  expect((await server.post("/runs/wait", body)).status).toBe(429);
  await server.database.query("update langgraph.streams set lease_until = now() - interval '1 second'");
  expect((await server.post("/runs/wait", body)).status).toBe(200);
  expect(await places(server)).toBe(0);
});
