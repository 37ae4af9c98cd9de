/** A host that gives each request only so long, and a graph that takes longer. */

import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp, type GraphOptions } from "langgraph-functions";
import { listen } from "../../src/local/listener.ts";
import { testDatabase } from "./database.ts";

/** The app behind a host that gives each request so long. */
export async function startHost(graphs: readonly GraphOptions[], requestMs: number) {
  const database = await testDatabase();
  const app = new LangGraphApp({ authLevel: "anonymous" });
  for (const graph of graphs) app.register(graph);
  const settings = {
    database: { url: database.url, poolSize: 4, migrate: false },
    logLevel: "silent",
  } as const;
  const doors = app.doors({ settings });
  const server = await listen({
    port: 0,
    host: "127.0.0.1",
    databaseUrl: database.url,
    keys: { function: undefined, admin: undefined },
    app: () => settings,
  });
  server.serve({
    ...doors,
    fetch: async (request, invocation) =>
      doors.fetch(request, { ...invocation, deadline: new Date(Date.now() + requestMs) }),
  });
  return {
    url: `${server.origin}/api`,
    database,
    [Symbol.asyncDispose]: async () => {
      server.refuse();
      await app[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Two steps; the second one ends when it is let, in whichever execution. */
export function twoSteps() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let attempts = 0;
  const graph = new StateGraph(Annotation.Root({ text: Annotation<string> }))
    .addNode("first", ({ text }) => ({ text: `${text} first` }))
    .addNode("second", async ({ text }) => {
      attempts += 1;
      if (attempts === 2) open();
      await opened;
      return { text: `${text} second` };
    })
    .addEdge(START, "first")
    .addEdge("first", "second")
    .compile();
  return { graph, attempts: () => attempts };
}
