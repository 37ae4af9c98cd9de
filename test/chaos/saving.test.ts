import {
  Annotation,
  type LangGraphRunnableConfig,
  MemorySaver,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { proxyTo } from "../support/proxy.ts";
import { startServer } from "../support/server.ts";

test("a run whose state cannot be saved stops, and goes on from what was saved when the database is back", async () => {
  await using database = await testDatabase();
  await using proxy = await proxyTo(database.url);
  const done: string[] = [];
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (stop = resolve));
  const graph = new StateGraph(Annotation.Root({ text: Annotation<string> }))
    .addNode("first", async ({ text }) => {
      if (done.length === 0) await proxy.cut();
      done.push("first");
      return { text: `${text} first` };
    })
    .addNode("second", async ({ text }, { signal }: LangGraphRunnableConfig) => {
      if (done.length === 1) {
        await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
        stop();
      }
      done.push("second");
      return { text: `${text} second` };
    })
    .addEdge(START, "first")
    .addEdge("first", "second")
    .compile();
  await using server = await startServer({
    graphs: [{ name: "graph", graph }],
    local: { databaseUrl: proxy.url },
  });
  const body = { input: { text: "a" }, config: { configurable: { thread_id: "t" } } };
  const answer = server.post("/graphs/graph/invoke", body);
  await stopped;
  await proxy.mend();
  expect(await answer).toMatchObject({ status: 200, body: { output: { text: "a first second" } } });
  expect(done.slice(-2)).toEqual(["first", "second"]);
  expect(await database.query("select status, claims from langgraph.runs")).toEqual([
    { status: "success", claims: 2 },
  ]);
});

test("a run of a graph with a checkpointer of its own stops, too, and its failure is told", async () => {
  class Forgetful extends MemorySaver {
    override async put(...values: Parameters<MemorySaver["put"]>): ReturnType<MemorySaver["put"]> {
      if (values[2].step === 1) throw new Error("secret of the disk");
      return super.put(...values);
    }
  }
  const graph = new StateGraph(Annotation.Root({ text: Annotation<string> }))
    .addNode("first", ({ text }) => ({ text: `${text} first` }))
    .addNode("second", async (_state, { signal }: LangGraphRunnableConfig) => {
      await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
      return {};
    })
    .addEdge(START, "first")
    .addEdge("first", "second")
    .compile({ checkpointer: new Forgetful() });
  await using server = await startServer({ graphs: [{ name: "graph", graph }] });
  const body = { input: { text: "a" }, config: { configurable: { thread_id: "t" } } };
  const answer = await server.post("/graphs/graph/invoke", body);
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain("secret");
  expect(await server.database.query("select status from langgraph.runs")).toEqual([{ status: "error" }]);
});
