/** What a graph's context factory makes of a request, where another invocation than that one executes the run. */

import { Annotation, START, StateGraph, type LangGraphRunnableConfig } from "@langchain/langgraph";
import { LangGraphApp, type ContextFactory } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { testDatabase } from "../support/database.ts";
import { shout } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";

const State = Annotation.Root({ text: Annotation<string>, seen: Annotation<unknown> });

/** Says what its context is. */
const telling = new StateGraph(State)
  .addNode("look", (_state, { context }: LangGraphRunnableConfig) => ({ seen: context }))
  .addEdge(START, "look")
  .compile();

const asAda = { headers: { "content-type": "application/json", "x-user": "countess" } };
const ofUser: ContextFactory = (request) => ({ user: request.headers.get("x-user"), plan: undefined });

test("a run in the background has the context that was made of its request, which nobody is shown", async () => {
  await using receiver = await startReceiver();
  const graphs = [{ name: "telling", graph: telling, context: ofUser }];
  await using server = await startServer({ graphs, webhooks: { allowPrivateAddresses: true } });
  const started = await server.post(
    "/graphs/telling/runs",
    { input: { text: "" }, config: { configurable: { thread_id: "native" } } },
    asAda,
  );
  expect(started.status).toBe(202);
  const body = { assistant_id: "telling", input: { text: "" }, webhook: receiver.url };
  const asked = { ...body, if_not_exists: "create" };
  expect((await server.post("/threads/platform/runs", asked, asAda)).text).not.toContain("countess");
  const [told] = await receiver.after(1);
  expect(told?.body).toMatchObject({ values: { seen: { user: "countess" } } });
  expect(JSON.stringify(told?.body["kwargs"])).not.toContain("countess");
  await vi.waitFor(
    async () =>
      expect((await server.get("/threads/native/state")).body).toMatchObject({
        values: { seen: { user: "countess" } },
      }),
    { timeout: 15_000 },
  );
  expect((await server.get("/threads/platform/runs")).text).not.toContain("countess");
  expect(server.warnings).toEqual([]);
});

test("so has a run that a command of the protocol starts", async () => {
  await using server = await startServer({ graphs: [{ name: "telling", graph: telling, context: ofUser }] });
  const start = { id: 1, method: "run.start", params: { assistant_id: "telling", input: { text: "" } } };
  expect((await server.post("/threads/t/commands", start, asAda)).body).toMatchObject({ type: "success" });
  await vi.waitFor(
    async () =>
      expect((await server.get("/threads/t/state")).body).toMatchObject({
        values: { seen: { user: "countess" } },
      }),
    { timeout: 15_000 },
  );
});

test("a context that cannot be made refuses a run in the background, and nothing is stored", async () => {
  const context = (): never => {
    throw new Error("secret of the context");
  };
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout, context }] });
  const refused = await server.post("/graphs/shout/runs", { input: { text: "" } });
  expect(refused).toMatchObject({ status: 500, body: { error: "internal" } });
  expect(refused.text).not.toContain("secret");
  expect(await server.database.query("select from langgraph.runs")).toEqual([]);
});

/** A run whose first invocation runs out of time; gives what each execution has seen, and the log's warnings. */
async function runInTwo(context: ContextFactory) {
  const seen: unknown[] = [];
  const graph = new StateGraph(State)
    .addNode("look", async (_state, { context: given, signal }: LangGraphRunnableConfig) => {
      seen.push(given);
      if (seen.length === 1)
        await new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
      return { seen: given };
    })
    .addEdge(START, "look")
    .compile();
  const warnings: string[] = [];
  const logger = {
    info: () => undefined,
    warn: (_fields: object, message: string) => void warnings.push(message),
    error: (_fields: object, message: string) => void warnings.push(message),
  };
  await using database = await testDatabase();
  await using app = new LangGraphApp({ authLevel: "anonymous", logger }).register({
    name: "graph",
    graph,
    context,
  });
  app.doors({
    settings: { database: { url: database.url, poolSize: 2, migrate: false }, logLevel: "silent" },
  });
  const sent = { input: { text: "" }, config: { configurable: { thread_id: "t" } } };
  const init = { method: "POST", body: JSON.stringify(sent), ...asAda };
  const request = new Request("http://localhost/api/graphs/graph/stream", init);
  const answer = await app.fetch(request, { deadline: new Date(Date.now() + 500) });
  await answer.text();
  await vi.waitFor(() => expect(seen).toHaveLength(2), { timeout: 15_000 }); // its own time may be over by then
  return { seen, warnings };
}

test("a run that is handed over keeps its context", async () => {
  const { seen, warnings } = await runInTwo(ofUser);
  expect(seen).toMatchObject([{ user: "countess" }, { user: "countess" }]);
  expect(warnings).toEqual([]);
});

test("a context that is not JSON is there for the invocation that made it; the next one goes on without, and the log says so", async () => {
  const session = new Map([["user", "countess"]]);
  const { seen, warnings } = await runInTwo(() => ({ session }));
  expect(seen).toEqual([{ session }, undefined]);
  expect(warnings).toEqual([
    "A run goes on without its context: the graph's context factory made something that is not JSON, and the request is over",
  ]);
});
