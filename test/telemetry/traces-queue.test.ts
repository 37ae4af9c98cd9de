import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { AlwaysOffSampler } from "@opentelemetry/sdk-trace-base";
import { LangGraphApp } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { messageOf, type WakeUpQueue } from "../../src/core/wake-ups.ts";
import { testDatabase } from "../support/database.ts";
import { startHost, twoSteps } from "../support/deadline-host.ts";
import { gated, shout } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import { recordTelemetry } from "../support/telemetry.ts";

const THREAD = "6f2d1e0a-77a5-4c1d-9d3c-2b8f4f0f6c11";
const patience = { timeout: 25_000 };

const asked = (graph: string, rest: object = {}) => ({
  assistant_id: graph,
  input: { text: "a word that only the thread knows" },
  if_not_exists: "create",
  ...rest,
});

test("a background run goes on with the trace of the request that asked for it, by the queue", async () => {
  await using recorded = recordTelemetry();
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await server.post(`/threads/${THREAD}/runs`, asked("shout"));
  await vi.waitFor(() => recorded.span("process runs"), patience);
  const message = ["process runs", "send runs", "POST /api/threads/{thread_id}/runs"];
  expect(recorded.around(recorded.span("claim run"))).toEqual(message);
  expect(recorded.around(recorded.span("node shout"))).toEqual(["superstep", "run shout", ...message]);
  const [send, work] = ["send runs", "process runs"].map(recorded.span);
  expect([send?.kind, work?.kind]).toEqual([SpanKind.PRODUCER, SpanKind.CONSUMER]);
  expect(work?.attributes).toMatchObject({
    "messaging.system": "in_process",
    "messaging.destination.name": "runs",
    "messaging.operation.type": "process",
    "langgraph.run_id": recorded.span("run shout").attributes["langgraph.run_id"],
  });
  expect(recorded.span("run shout").links).toEqual([]);
});

test("a run that waited for another one has a trace of its own, with a link to its request", async () => {
  await using recorded = recordTelemetry();
  const { graph, open, entered } = gated();
  const graphs = [
    { name: "gated", graph },
    { name: "shout", graph: shout },
  ];
  await using server = await startServer({ graphs });
  await server.post(`/threads/${THREAD}/runs`, asked("gated"));
  await entered;
  await server.post(`/threads/${THREAD}/runs`, asked("shout", { multitask_strategy: "enqueue" }));
  await vi.waitFor(() => expect(recorded.named("process runs")).toHaveLength(1), patience);
  open();
  await vi.waitFor(() => expect(recorded.named("process runs")).toHaveLength(3), patience);
  const [first, second] = ["run gated", "run shout"].map(recorded.span);
  const requests = recorded.named("POST /api/threads/{thread_id}/runs");
  expect(first?.spanContext().traceId).toBe(requests[0]?.spanContext().traceId);
  expect(requests.map((request) => request.spanContext().traceId)).not.toContain(
    second?.spanContext().traceId,
  );
  expect(second?.links.map(({ context }) => context.traceId)).toEqual([requests[1]?.spanContext().traceId]);
  expect(second && recorded.around(second)).toEqual(["process runs", "send runs"]);
});

test("a run that is handed over goes on in the same trace", async () => {
  await using recorded = recordTelemetry();
  const { graph } = twoSteps();
  await using host = await startHost([{ name: "steps", graph }], 3_000);
  const { body } = await fetch(`${host.url}/threads/${THREAD}/runs/wait`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(asked("steps")),
  }).then(async (answer) => ({ body: await answer.text().catch(() => "cut") }));
  expect(body).not.toBe("");
  await vi.waitFor(() => expect(recorded.named("run steps")).toHaveLength(2), patience);
  const [before, after] = recorded.named("run steps");
  expect(before?.attributes).toMatchObject({ "langgraph.status": "handed_over", "langgraph.claims": 1 });
  expect(after?.attributes).toMatchObject({ "langgraph.status": "success", "langgraph.claims": 2 });
  expect(after && recorded.around(after).slice(0, 3)).toEqual(["process runs", "send runs", "run steps"]);
  expect(await recorded.points("langgraph.run.handovers")).toEqual([
    { attributes: { "langgraph.graph": "steps" }, value: 1 },
  ]);
});

test("a run whose executor vanished is found by a tick, and is linked to the request that asked for it", async () => {
  await using recorded = recordTelemetry();
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await server.post(`/threads/${THREAD}/runs`, asked("shout", { after_seconds: 3_600 }));
  await server.database.query(
    `update langgraph.runs set status = 'running', lease_id = gen_random_uuid(), lease_until = now() - interval '1 second',
      attempt = 1, claims = 1, started_at = now(), due_at = now() - interval '1 minute'`,
  );
  await vi.waitFor(() => recorded.span("run shout"), patience);
  const run = recorded.span("run shout");
  const request = recorded.span("POST /api/threads/{thread_id}/runs");
  expect(run.attributes).toMatchObject({ "langgraph.attempt": 2, "langgraph.status": "success" });
  expect(run.links.map(({ context }) => context.spanId)).toEqual([request.spanContext().spanId]);
  expect(recorded.around(recorded.span("tick"))).toEqual([]);
  expect(await recorded.points("langgraph.run.recoveries")).toEqual([{ attributes: {}, value: 1 }]);
  expect(await recorded.points("langgraph.run.wait")).toEqual([]);
});

test("a cron that fires, its run and the webhook of that are one trace", async () => {
  await using recorded = recordTelemetry();
  await using receiver = await startReceiver({ statuses: [500] });
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    webhooks: { allowPrivateAddresses: true, retrySeconds: [] },
  });
  const webhook = `${receiver.url}/services/secret-place?code=secret-code`;
  await server.post("/runs/crons", {
    assistant_id: "shout",
    schedule: "0 0 1 1 *",
    input: { text: "a" },
    webhook,
  });
  await server.database.query("update langgraph.crons set next_run_date = now() - interval '1 second'");
  await vi.waitFor(() => recorded.span("POST webhook"), patience);
  await vi.waitFor(() => expect(recorded.named("process runs")).toHaveLength(2), patience);
  expect(recorded.around(recorded.span("POST webhook"))).toEqual([
    "process runs",
    "send runs",
    "run shout",
    "process runs",
    "send runs",
    "fire cron",
    "tick",
  ]);
  expect(recorded.span("fire cron").attributes).toMatchObject({
    "langgraph.cron_id": expect.any(String) as unknown,
    "langgraph.has_run": true,
  });
  const told = recorded.span("POST webhook");
  expect([told.kind, told.status]).toEqual([SpanKind.CLIENT, { code: SpanStatusCode.ERROR }]);
  expect(told.attributes).toEqual({
    "http.request.method": "POST",
    "http.response.status_code": 500,
    "error.type": "500",
    "server.address": "127.0.0.1",
    "server.port": Number(new URL(receiver.url).port),
    "langgraph.run_id": recorded.span("run shout").attributes["langgraph.run_id"],
    "langgraph.attempt": 1,
  });
  expect(JSON.stringify(recorded.spans().map(({ attributes }) => attributes))).not.toContain("secret-");
});

test("what is not sampled is not recorded anywhere behind the queue either", async () => {
  await using recorded = recordTelemetry({ sampler: new AlwaysOffSampler() });
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await server.post(`/threads/${THREAD}/runs`, asked("shout"));
  const [run] = await vi.waitFor(async () => {
    const found = await server.database.query("select kwargs from langgraph.runs where status = 'success'");
    expect(found).toHaveLength(1);
    return found;
  }, patience);
  expect(run).toMatchObject({ kwargs: { traceparent: expect.stringMatching(/-00$/) as unknown } });
  expect(recorded.spans()).toEqual([]);
});

test("without a provider, neither the record of a run nor its message says anything of traces", async () => {
  await using database = await testDatabase();
  const sent: unknown[] = [];
  const queue: WakeUpQueue = {
    outlivesProcess: () => true,
    check: async () => undefined,
    depth: async () => ({ messages: 0 }),
    send: async (wakeUp, options = {}) =>
      void sent.push(JSON.parse(JSON.stringify(messageOf(wakeUp, options)))),
  };
  const app = new LangGraphApp({ authLevel: "anonymous" }).register({ name: "shout", graph: shout });
  const settings = {
    database: { url: database.url, poolSize: 2, migrate: false },
    logLevel: "silent",
  } as const;
  app.doors({ settings, queue });
  const headers = {
    "content-type": "application/json",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  };
  const body = JSON.stringify(asked("shout"));
  await app.fetch(new Request(`http://here/api/threads/${THREAD}/runs`, { method: "POST", headers, body }));
  const [run] = await database.query("select run_id, kwargs from langgraph.runs");
  expect(sent).toEqual([expect.objectContaining({ run_id: run?.["run_id"] })]);
  expect(JSON.stringify(sent)).not.toContain("traceparent");
  expect(JSON.stringify(run)).not.toContain("0af7651916cd43dd8448eb211c80319c");
  await app[Symbol.asyncDispose]();
});
