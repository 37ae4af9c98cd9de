import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
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
