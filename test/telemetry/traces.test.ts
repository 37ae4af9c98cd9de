import { SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { asking, failing, gated, shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";
import { nested } from "../support/streaming-graphs.ts";
import { recordTelemetry } from "../support/telemetry.ts";

const Text = Annotation.Root({ text: Annotation<string> });
const THREAD = "6f2d1e0a-77a5-4c1d-9d3c-2b8f4f0f6c11";
const patience = { timeout: 25_000 };

const asked = (graph: string, rest: object = {}) => ({
  assistant_id: graph,
  input: { text: "a word that only the thread knows" },
  if_not_exists: "create",
  ...rest,
});

test.each([true, false])(
  "a run's nodes are within its supersteps, those within the run, and that within the request (context manager: %s)",
  async (hasContextManager) => {
    await using recorded = recordTelemetry({ hasContextManager });
    await using server = await startServer({ graphs: [{ name: "nested", graph: nested }] });
    const answer = await server.post(`/threads/${THREAD}/runs/wait`, asked("nested"));
    expect(answer.body).toMatchObject({ text: expect.stringContaining("within, last") as unknown });
    const request = "POST /api/threads/{thread_id}/runs/wait";
    const run = ["run nested", request];
    await vi.waitFor(() => expect(recorded.named(request)).toHaveLength(1), { timeout: 15_000 });
    const around = (name: string) => recorded.around(recorded.span(name));
    expect(around("node last")).toEqual(["superstep", ...run]);
    expect(around("node sub")).toEqual(["superstep", ...run]);
    expect(around("node within")).toEqual(["superstep", "node sub", "superstep", ...run]);
    expect(around("admit run")).toEqual([request]);
    for (const write of recorded.named("checkpoint write")) expect(recorded.around(write)).toEqual(run);
    expect(recorded.named("checkpoint write").length).toBeGreaterThan(0);
    expect(recorded.named("superstep")).toHaveLength(3);
    const ids = recorded.spans().map((span) => span.spanContext().traceId);
    expect(new Set(ids).size).toBe(1);
  },
);

test("spans say which run, and nothing of what it was given or has said", async () => {
  await using recorded = recordTelemetry();
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await server.post(`/threads/${THREAD}/runs/wait?code=a-key-of-theirs`, asked("shout"));
  await vi.waitFor(() => recorded.span("POST /api/threads/{thread_id}/runs/wait"), { timeout: 15_000 });
  expect(recorded.span("run shout").attributes).toEqual({
    "langgraph.run_id": expect.stringMatching(/^[\da-f-]{36}$/),
    "langgraph.thread_id": THREAD,
    "langgraph.graph": "shout",
    "langgraph.assistant_id": expect.stringMatching(/^[\da-f-]{36}$/),
    "langgraph.attempt": 1,
    "langgraph.claims": 1,
    "langgraph.status": "success",
  });
  expect(recorded.span("node shout").attributes).toEqual({ "langgraph.node": "shout", "langgraph.step": 1 });
  expect(recorded.span("superstep").attributes).toEqual({ "langgraph.step": 1 });
  const request = recorded.span("POST /api/threads/{thread_id}/runs/wait");
  expect(request.kind).toBe(SpanKind.SERVER);
  expect(request.attributes).toEqual({
    "http.request.method": "POST",
    "http.route": "/api/threads/{thread_id}/runs/wait",
    "http.response.status_code": 200,
    "url.scheme": "http",
    "url.path": `/api/threads/${THREAD}/runs/wait`,
    "server.address": "127.0.0.1",
    "server.port": Number(new URL(server.url).port),
    "user_agent.original": "node",
  });
  const told = recorded.spans().map(({ name, attributes, events }) => ({ name, attributes, events }));
  expect(JSON.stringify(told)).not.toMatch(/only the thread knows|a-key-of-theirs/);
});

test("a request goes on with its client's trace, or is a part of what goes on in this process", async () => {
  await using recorded = recordTelemetry();
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await server.get("/ok", { headers: { traceparent, tracestate: "vendor=1" } });
  const [theirs] = recorded.named("GET /api/ok");
  expect(theirs?.spanContext().traceId).toBe("0af7651916cd43dd8448eb211c80319c");
  expect(theirs?.parentSpanContext).toMatchObject({ spanId: "b7ad6b7169203331", isRemote: true });
  expect(theirs?.spanContext().traceState?.get("vendor")).toBe("1");
  await server.get("/ok", { headers: { traceparent: "00-zero-b7ad6b7169203331-01" } });
  expect(recorded.named("GET /api/ok")[1]?.parentSpanContext).toBeUndefined();

  const app = new LangGraphApp({ authLevel: "anonymous" }).register({ name: "shout", graph: shout });
  const settings = { database: { url: "postgres://nobody@127.0.0.1:1/none", poolSize: 1, migrate: false } };
  app.doors({ settings: { ...settings, logLevel: "silent" } });
  await trace.getTracer("a framework").startActiveSpan("GET /agents", async (span) => {
    await app.fetch(new Request("http://here/api/health"));
    span.end();
  });
  const inner = recorded.span("GET /api/health");
  expect([inner.kind, recorded.around(inner)]).toEqual([SpanKind.INTERNAL, ["GET /agents"]]);
});

test("a request is over when its stream is", async () => {
  await using recorded = recordTelemetry();
  const { graph, open, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const answer = await fetch(`${server.url}/graphs/gated/stream`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: { text: "slow" } }),
  });
  await entered;
  expect(answer.status).toBe(200);
  expect(recorded.named("POST /api/graphs/gated/stream")).toEqual([]);
  open();
  await answer.text();
  await vi.waitFor(() => recorded.span("POST /api/graphs/gated/stream"), { timeout: 15_000 });
  expect(recorded.around(recorded.span("node wait"))).toEqual([
    "superstep",
    "run gated",
    "POST /api/graphs/gated/stream",
  ]);
});

test("the path of what is no route of ours is not told, nor a resume link's", async () => {
  vi.stubEnv("RESUME_LINK_SECRETS", "0123456789012345678901234567890123456789");
  await using recorded = recordTelemetry();
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await server.get("/hidden-place");
  await server.get("/resume/hidden-token");
  await server.post("/ok", {});
  vi.unstubAllEnvs();
  expect(recorded.span("GET").attributes).toMatchObject({ "http.response.status_code": 404 });
  expect(recorded.span("GET /api/resume/{token}").attributes).toMatchObject({
    "url.path": "/api/resume/{token}",
  });
  expect(recorded.span("POST /api/ok").attributes).toMatchObject({ "http.response.status_code": 405 });
  const told = recorded.spans().map(({ name, attributes }) => ({ name, attributes }));
  expect(JSON.stringify(told)).not.toContain("hidden");
});

test("a method that the conventions do not know is told apart from the name of the span", async () => {
  await using recorded = recordTelemetry();
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  for (const path of ["/ok", "/nowhere"]) await server.get(path, { method: "PROPFIND" });
  const told = { "http.request.method": "_OTHER", "http.request.method_original": "PROPFIND" };
  for (const name of ["HTTP /api/ok", "HTTP"]) expect(recorded.span(name).attributes).toMatchObject(told);
});

test("a graph that fails marks its node and its run, by the type of the error alone", async () => {
  await using recorded = recordTelemetry();
  await using server = await startServer({ graphs: [{ name: "failing", graph: failing }] });
  await server.post(`/threads/${THREAD}/runs/wait`, asked("failing"));
  const failed = { code: SpanStatusCode.ERROR };
  await vi.waitFor(() => recorded.span("run failing"), { timeout: 15_000 });
  expect(recorded.span("node first").status).toEqual({ code: SpanStatusCode.UNSET });
  expect(recorded.span("node second").status).toEqual(failed);
  expect(recorded.span("node second").attributes).toMatchObject({ "error.type": "Error" });
  expect(recorded.span("run failing").status).toEqual(failed);
  expect(recorded.span("run failing").attributes).toMatchObject({
    "error.type": "graph_failed",
    "langgraph.status": "error",
  });
  const told = recorded.spans().map(({ attributes, events, status }) => ({ attributes, events, status }));
  expect(JSON.stringify(told)).not.toContain("secret of the graph");
});

test("a run that waits for a human's word has not failed", async () => {
  await using recorded = recordTelemetry();
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  await server.post(`/threads/${THREAD}/runs/wait`, asked("asking"));
  for (const name of ["run asking", "node ask"]) {
    expect(recorded.span(name).status).toEqual({ code: SpanStatusCode.UNSET });
    expect(recorded.span(name).attributes).toMatchObject({ "langgraph.status": "interrupted" });
  }
});

test("a run that is cancelled ends its spans, which say so", async () => {
  await using recorded = recordTelemetry();
  const { graph, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const { body } = await server.post(`/threads/${THREAD}/runs`, asked("gated"));
  await entered;
  const { run_id } = z.object({ run_id: z.uuid() }).parse(body);
  await server.post(`/threads/${THREAD}/runs/${run_id}/cancel?wait=true`, {});
  await vi.waitFor(() => recorded.span("run gated"), patience);
  for (const [name, status] of [
    ["run gated", "cancelled"],
    ["node wait", "stopped"],
  ] as const) {
    expect(recorded.span(name).attributes).toMatchObject({ "langgraph.status": status });
    expect(recorded.span(name).status).toEqual({ code: SpanStatusCode.UNSET });
  }
  expect(recorded.named("superstep")).toHaveLength(1);
});

test("spans of one's own in a node are within the run's, where a context manager is registered", async () => {
  await using recorded = recordTelemetry();
  const graph = new StateGraph(Text)
    .addNode("search", async ({ text }) =>
      trace.getTracer("mine").startActiveSpan("query", async (span) => {
        span.end();
        return { text };
      }),
    )
    .addEdge(START, "search")
    .compile();
  await using server = await startServer({ graphs: [{ name: "searching", graph }] });
  await server.post(`/threads/${THREAD}/runs/wait`, asked("searching"));
  await vi.waitFor(() => recorded.span("POST /api/threads/{thread_id}/runs/wait"), { timeout: 15_000 });
  expect(recorded.around(recorded.span("query"))).toEqual([
    "run searching",
    "POST /api/threads/{thread_id}/runs/wait",
  ]);
});
