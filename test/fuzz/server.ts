/** The server that is fuzzed, as a process of its own: it tells its errors, and how much memory it holds when asked. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { inspect } from "node:util";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp } from "langgraph-functions";
import { serveLocally } from "langgraph-functions/local";
import { z } from "zod";
import { counter, echo, pausing } from "../support/graphs.ts";

const nested = new StateGraph(Annotation.Root({ value: Annotation<unknown>, text: Annotation<unknown> }))
  .addNode("inner", echo)
  .addNode("last", (state) => state)
  .addEdge(START, "inner")
  .addEdge("inner", "last")
  .compile();

const checked = z.object({
  value: z.array(z.number()).max(3).optional(),
  text: z.string().max(100).default("a"),
});

const logger = {
  info: () => undefined,
  warn: () => undefined,
  error: (fields: object, message: string) =>
    void process.send?.({ error: `${message} ${inspect(fields, { depth: 5 })}` }),
};
const app = new LangGraphApp({ logger, configurableHeaders: { includes: ["*"] } })
  .register({ name: "echo", graph: echo })
  .register({ name: "counter", graph: counter })
  .register({ name: "pausing", graph: pausing })
  .register({ name: "nested", graph: nested })
  .register({ name: "checked", graph: echo, inputSchema: checked })
  .register({ name: "unstreamed", graph: echo, stream: false });

setFlagsFromString("--expose-gc");
const collectGarbage: unknown = runInNewContext("gc");
process.on("message", () => {
  if (typeof collectGarbage === "function") Reflect.apply(collectGarbage, undefined, []);
  process.send?.({ heap: process.memoryUsage().heapUsed });
});

const server = await serveLocally(app, { port: 0 });
process.send?.({ url: server.url });
