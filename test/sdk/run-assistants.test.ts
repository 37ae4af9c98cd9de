/** Runs as an assistant: they take over its graph, config, context and metadata. */

import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { z } from "zod";
import { gated, reporting, shout } from "../support/graphs.ts";
import { allParts, clientOf } from "../support/sdk.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { watchStatements } from "../support/statements.ts";

const config = { configurable: { tone: "loud", size: 1 }, tags: ["registered"] };
const graphs = [
  { name: "reporting", graph: reporting, config },
  { name: "shout", graph: shout },
];

const Report = z.object({
  report: z.object({
    configurable: z.record(z.string(), z.unknown()),
    context: z.record(z.string(), z.unknown()).optional(),
    metadata: z.record(z.string(), z.unknown()),
    tags: z.array(z.string()).optional(),
  }),
});

/** What the graph saw of a run of its own. */
async function reportOf(server: TestServer, assistant: string, options: object = {}) {
  const values = await clientOf(server).runs.wait(null, assistant, { input: { text: "a" }, ...options });
  return Report.parse(values).report;
}

const fresh = { input: { text: "a" }, ifNotExists: "create" } as const;

test("a run has its assistant's config, context and metadata, and its request's over them", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  const { assistant_id } = await assistants.create({
    graphId: "reporting",
    config: { tags: ["assistant"], configurable: { tone: "soft", voice: "low" } },
    context: { user: "ada", team: "a" },
    metadata: { origin: "assistant", kept: true },
  });
  const report = await reportOf(server, assistant_id, {
    config: { configurable: { voice: "high" } },
    context: { user: "bob" },
    metadata: { origin: "request" },
  });
  expect(report.configurable).toMatchObject({
    tone: "soft",
    voice: "high",
    graph_id: "reporting",
    assistant_id,
    thread_id: expect.any(String),
    run_id: expect.any(String),
  });
  expect(report.configurable).not.toHaveProperty("size"); // the default assistant's, not this one's
  expect(report.context).toEqual({ user: "bob", team: "a" });
  expect(report.metadata).toMatchObject({ origin: "request", kept: true, assistant_id });
  expect(report.tags).toContain("assistant");
});

test("a run's record and its thread name the assistant", async () => {
  await using server = await startServer({ graphs });
  const { assistants, runs, threads } = clientOf(server);
  const { assistant_id } = await assistants.create({ graphId: "shout", metadata: { origin: "assistant" } });
  await runs.wait("t", assistant_id, { ...fresh, metadata: { x: 1 } });
  expect(await runs.list("t")).toMatchObject([
    { assistant_id, metadata: { origin: "assistant", x: 1, graph_id: "shout", assistant_id } },
  ]);
  expect(await threads.get("t")).toMatchObject({ metadata: { graph_id: "shout", assistant_id } });
  expect(await threads.getState("t")).toMatchObject({ metadata: { origin: "assistant", assistant_id } });
  expect(await threads.count({ metadata: { assistant_id } })).toBe(1);
});

test("a run has its assistant's metadata, over it its thread's, over both its request's, also when it waits", async () => {
  await using server = await startServer({ graphs });
  const { assistants, runs, threads } = clientOf(server);
  const all = { by: "assistant", on: "assistant", of: "assistant" };
  const { assistant_id } = await assistants.create({ graphId: "reporting", metadata: all });
  const { thread_id } = await threads.create({ metadata: { on: "thread", of: "thread", team: "a" } });
  const merged = { by: "assistant", on: "thread", of: "request", team: "a", assistant_id };
  const asked = { input: { text: "a" }, metadata: { of: "request" } };
  expect(await runs.wait(thread_id, assistant_id, asked)).toMatchObject({ report: { metadata: merged } });
  const waiting = await runs.create(thread_id, assistant_id, { ...asked, afterSeconds: 3_600 });
  expect(waiting).toMatchObject({ metadata: merged });
  expect(await runs.get(thread_id, waiting.run_id)).toMatchObject({ metadata: merged });
  expect(await threads.getState(thread_id)).toMatchObject({ metadata: { team: "a", of: "request" } });
});

test("every way to ask for a run takes an assistant's id", async () => {
  await using server = await startServer({ graphs });
  const { assistants, runs } = clientOf(server);
  const { assistant_id } = await assistants.create({ graphId: "shout" });
  const input = { text: "a" };
  expect(await runs.wait(null, assistant_id, { input })).toEqual({ text: "a!" });
  const parts = await allParts(runs.stream(null, assistant_id, { input }));
  expect(parts.at(-1)).toMatchObject({ event: "values", data: { text: "a!" } });
  const { run_id } = await runs.create("t", assistant_id, { input, ifNotExists: "create" });
  expect(await runs.join("t", run_id)).toEqual({ text: "a!" });
  const batch = [assistant_id, "shout"].map((assistantId) => ({ assistantId, input }));
  const [first, second] = await runs.createBatch(batch);
  expect([first?.assistant_id, second?.assistant_id]).toEqual([
    assistant_id,
    (await assistants.get("shout")).assistant_id,
  ]);
});

test("a batch with an assistant that is missing admits none of it", async () => {
  await using server = await startServer({ graphs });
  const { runs } = clientOf(server);
  const input = { text: "a" };
  const missing = runs.createBatch([
    { assistantId: "shout", input },
    { assistantId: randomUUID(), input },
  ]);
  await expect(missing).rejects.toThrow("404");
  expect(await server.database.query("select from langgraph.runs")).toEqual([]);
});

test("runs of a graph by name follow its default assistant as it is, on whatever instance it was changed", async () => {
  await using server = await startServer({ graphs });
  await using other = await startServer({ graphs, local: { databaseUrl: server.database.url } });
  const { assistants } = clientOf(other);
  expect((await reportOf(server, "reporting")).configurable).toMatchObject({ tone: "loud", size: 1 });

  await assistants.update("reporting", {
    config: { configurable: { tone: "calm" } },
    context: { user: "a" },
  });
  const changed = await reportOf(server, "reporting");
  expect(changed.configurable).toMatchObject({ tone: "calm" });
  expect(changed.configurable).not.toHaveProperty("size");
  expect(changed.context).toEqual({ user: "a" });

  await assistants.update("reporting", { config: { configurable: { tone: "quiet" } } });
  const { assistant_id } = await assistants.get("reporting");
  expect((await reportOf(server, assistant_id)).configurable).toMatchObject({ tone: "quiet" });

  await assistants.setLatest("reporting", 1);
  expect((await reportOf(server, "reporting")).configurable).toMatchObject({ tone: "loud", size: 1 });
  await assistants.update("reporting", { graphId: "shout" });
  expect(await clientOf(server).runs.wait(null, "reporting", { input: { text: "a" } })).toEqual({
    text: "a!",
  });
  await assistants.delete("reporting");
  expect((await reportOf(server, "reporting")).configurable).toMatchObject({ tone: "loud", size: 1 });
});

test("a default assistant that nobody changed costs a run no statement of its own; another one costs a read", async () => {
  await using server = await startServer({ graphs });
  await using way = await watchStatements(server.database.url);
  await using watched = await startServer({ graphs, local: { databaseUrl: way.url } });
  const about = async (assistant: string) => {
    way.statements.length = 0;
    await clientOf(watched).runs.wait(null, assistant, { input: { text: "a" } });
    const found = way.statements.filter((statement) => statement.includes("langgraph.assistants"));
    return found.map((statement) => (statement.includes("into langgraph.runs") ? "admission" : "read"));
  };
  const { assistant_id } = await clientOf(server).assistants.create({ graphId: "shout" });
  const shoutId = (await clientOf(server).assistants.get("shout")).assistant_id;
  expect(await about("shout")).toEqual(["admission"]);
  expect(await about(shoutId)).toEqual(["admission"]);
  expect(await about(assistant_id)).toEqual(["read", "admission"]);
  await clientOf(server).assistants.update("shout", {});
  expect(await about("shout")).toEqual(["admission", "read", "read", "admission"]);
  expect(await about("shout")).toEqual(["read", "admission"]);
});

test("a waiting run keeps the version that it was admitted with", async () => {
  await using server = await startServer({ graphs });
  const { assistants, runs } = clientOf(server);
  const { assistant_id } = await assistants.create({
    graphId: "reporting",
    config: { configurable: { tone: "first" } },
  });
  const { run_id } = await runs.create("t", assistant_id, { ...fresh, afterSeconds: 1 });
  await assistants.update(assistant_id, { config: { configurable: { tone: "second" } } });
  const { report } = Report.parse(await runs.join("t", run_id));
  expect(report.configurable).toMatchObject({ tone: "first" });
  expect((await reportOf(server, assistant_id)).configurable).toMatchObject({ tone: "second" });
});

test("runs and changes of their assistant, all at once, end well, and each run has one whole version", async () => {
  await using server = await startServer({ graphs });
  await using other = await startServer({ graphs, local: { databaseUrl: server.database.url } });
  const { assistants } = clientOf(other);
  const set = async (n: number) =>
    assistants.update("reporting", { config: { configurable: { tone: n } }, context: { tone: n } });
  await set(0);
  const [reports] = await Promise.all([
    Promise.all(Array.from({ length: 12 }, async () => reportOf(server, "reporting"))),
    Promise.all(Array.from({ length: 6 }, async (_, n) => set(n))),
  ]);
  for (const { configurable, context } of reports) expect(context).toEqual({ tone: configurable["tone"] });
});

test("an assistant that is missing, or was deleted, is not found, and no thread is made for it", async () => {
  await using server = await startServer({ graphs });
  const { assistants, runs, threads } = clientOf(server);
  const { assistant_id } = await assistants.create({ graphId: "shout" });
  await assistants.delete(assistant_id);
  for (const missing of [assistant_id, randomUUID(), "nothing"]) {
    await expect(runs.create("t", missing, fresh)).rejects.toThrow("404");
    await expect(runs.wait("t", missing, fresh)).rejects.toThrow("404");
    await expect(runs.wait(null, missing, fresh)).rejects.toThrow("404");
  }
  await expect(threads.get("t")).rejects.toThrow("404");
});

test("a run goes on as it was asked for when its assistant is deleted, also one that waits for its turn", async () => {
  const { graph, entered, open } = gated();
  const waiting = [...graphs, { name: "gated", graph }];
  await using server = await startServer({ graphs: waiting });
  const { assistants, runs } = clientOf(server);
  const [first, second] = [
    await assistants.create({ graphId: "gated" }),
    await assistants.create({ graphId: "reporting", config: { configurable: { tone: "soft" } } }),
  ];
  const running = await runs.create("t", first.assistant_id, fresh);
  await entered;
  const next = await runs.create("t", second.assistant_id, fresh);
  await assistants.delete(first.assistant_id);
  await assistants.delete(second.assistant_id);
  open();
  expect(await runs.join("t", running.run_id)).toMatchObject({ text: "a after all" });
  const { report } = Report.parse(await runs.join("t", next.run_id));
  expect(report.configurable).toMatchObject({ tone: "soft", assistant_id: second.assistant_id });
});

test("an assistant whose graph is not registered any more cannot run", async () => {
  await using server = await startServer({ graphs });
  const { assistant_id } = await clientOf(server).assistants.create({ graphId: "reporting" });
  const rest = graphs.filter(({ name }) => name !== "reporting");
  await using next = await startServer({ graphs: rest, local: { databaseUrl: server.database.url } });
  const { assistants, runs } = clientOf(next);
  expect(await assistants.get(assistant_id)).toMatchObject({ graph_id: "reporting" });
  await expect(runs.wait(null, assistant_id, fresh)).rejects.toThrow("404");
  await expect(assistants.getGraph(assistant_id)).rejects.toThrow("404");
});

test("the native API of a graph runs it as it is registered", async () => {
  await using server = await startServer({ graphs });
  await clientOf(server).assistants.update("reporting", { config: { configurable: { tone: "calm" } } });
  const { body } = await server.post("/graphs/reporting/invoke", { input: { text: "a" } });
  const { output } = z.object({ output: Report }).parse(body);
  expect(output.report.configurable).toMatchObject({ tone: "loud", size: 1 });
});
