import { randomUUID } from "node:crypto";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { gated, shout } from "../support/graphs.ts";
import { startServer, type Answer, type ServerOptions, type TestServer } from "../support/server.ts";

async function serve(
  graph: ReturnType<typeof gated>["graph"],
  options: Partial<ServerOptions> = {},
): Promise<TestServer> {
  const graphs = [
    { name: "gated", graph },
    { name: "shout", graph: shout },
  ];
  return startServer({ graphs, limits: { maxRuns: 2 }, ...options });
}

const body = { assistant_id: "gated", input: { text: "a" } };

function expectRefused({ status, body, headers }: Answer): void {
  expect([status, body, headers.get("retry-after")]).toEqual([
    429,
    { error: "rate_limited", detail: "More than 2 runs are active at a time" },
    "5",
  ]);
}

/** Waits until no run waits or executes. */
async function idle({ database }: TestServer): Promise<void> {
  await vi.waitFor(
    async () => {
      const active = "select 1 from langgraph.runs where status in ('pending', 'running')";
      expect(await database.query(active)).toEqual([]);
    },
    { timeout: 10_000, interval: 20 },
  );
}

test("a caller has as many active runs as it may, and one more when one has ended", async () => {
  const { graph, open } = gated();
  await using server = await serve(graph);
  const thread_id = randomUUID();
  await server.post("/threads", { thread_id });
  expect((await server.post(`/threads/${thread_id}/runs`, body)).status).toBe(200);
  expect((await server.post(`/threads/${thread_id}/runs`, body)).status).toBe(200); // waits for the first
  const input = { input: { text: "a" } };
  for (const [path, sent] of [
    ["/runs", body],
    ["/runs/wait", body],
    ["/runs/stream", body],
    [`/threads/${thread_id}/runs`, body],
    [`/threads/${randomUUID()}/runs`, { ...body, if_not_exists: "create" }],
    ["/graphs/shout/invoke", input],
    ["/graphs/shout/stream", input],
    ["/graphs/shout/runs", input],
  ] as const)
    expectRefused(await server.post(path, sent));
  const command = { id: 1, method: "run.start", params: body };
  const refused = await server.post(`/threads/${thread_id}/commands`, command);
  expect([refused.status, refused.text]).toEqual([
    429,
    expect.stringContaining("More than 2 runs are active"),
  ]);
  expect(await server.database.query("select 1 from langgraph.threads")).toHaveLength(1);
  open();
  await idle(server);
  expect((await server.post("/runs/wait", body)).status).toBe(200);
});

test("of runs that are asked for at once no more than the limit are taken, on all servers together", async () => {
  const { graph, open } = gated();
  await using first = await serve(graph);
  await using second = await serve(graph, { local: { databaseUrl: first.database.url } });
  const asked = [first, second, first, second, first, second].map(async (server) =>
    server.post("/runs", body),
  );
  const answers = await Promise.all(asked);
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
    200, 200, 429, 429, 429, 429,
  ]);
  open();
  await idle(first);
});

test("a batch that exceeds the limit half way is refused, and keeps the runs made so far", async () => {
  const { graph, open } = gated();
  await using server = await serve(graph);
  expectRefused(await server.post("/runs/batch", [body, body, body]));
  expect(await server.database.query("select from langgraph.runs")).toHaveLength(2);
  open();
  await idle(server);
});

test("runs that are cancelled count no more, and those of another caller not at all", async () => {
  const { graph, open } = gated();
  const local = { keys: { function: "function-key", admin: "admin-key" } };
  await using server = await serve(graph, { local });
  const ask = async (key: string) => server.post(`/runs?code=${key}`, { ...body, after_seconds: 3_600 });
  const [one] = [await ask("function-key"), await ask("function-key")];
  expectRefused(await ask("function-key"));
  expect((await ask("admin-key")).status).toBe(200);
  const { thread_id, run_id } = z.object({ thread_id: z.string(), run_id: z.string() }).parse(one.body);
  const cancel = `/runs/cancel?code=function-key`;
  expect((await server.post(cancel, { thread_id, run_ids: [run_id] })).status).toBe(204);
  expect((await ask("function-key")).status).toBe(200);
  expectRefused(await ask("function-key"));
  const kept = await server.database.query("select identity from langgraph.runs");
  expect(JSON.stringify(kept)).not.toMatch(/function-key|admin-key/);
  open();
});

test("a request that is repeated is answered as before, though nothing more may run", async () => {
  const { graph, open } = gated();
  await using server = await serve(graph);
  const headers = { "content-type": "application/json", "idempotency-key": "one" };
  const first = await server.post("/runs", body, { headers });
  await server.post("/runs", body);
  const again = await server.post("/runs", body, { headers });
  expect([again.status, again.body]).toEqual([200, first.body]);
  expectRefused(await server.post("/runs", body));
  open();
  await idle(server);
});

test("without a limit, it is not remembered whose a run is", async () => {
  const { graph } = gated();
  await using server = await serve(graph, { limits: {} });
  await server.post("/graphs/shout/runs", { input: { text: "a" } });
  expect(await server.database.query("select identity from langgraph.runs")).toEqual([{ identity: null }]);
});
